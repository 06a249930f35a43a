# The Python package: sources beside each other with the declarations, made from the header, and the
# library. build/PRESET/python is ready for PYTHONPATH; scikit-build-core makes a wheel of the same.
set(RK_PACKAGE ${PROJECT_BINARY_DIR}/python/reckon)
set(RK_DECLARE ${PROJECT_SOURCE_DIR}/python/declare.py)
file(MAKE_DIRECTORY ${RK_PACKAGE})
add_custom_command(
  OUTPUT ${RK_PACKAGE}/_abi.py
  COMMAND ${Python3_EXECUTABLE} ${RK_DECLARE} ${PROJECT_SOURCE_DIR}/include/reckon/reckon.h
          $<TARGET_SONAME_FILE_NAME:reckon> ${RK_PACKAGE}/_abi.py ${CMAKE_C_COMPILER}
  DEPENDS ${RK_DECLARE} ${PROJECT_SOURCE_DIR}/include/reckon/reckon.h VERBATIM)
add_custom_target(reckon-python ALL DEPENDS ${RK_PACKAGE}/_abi.py)
add_dependencies(reckon-python reckon)

file(GLOB RK_PYTHON_SOURCES CONFIGURE_DEPENDS python/reckon/*.py python/reckon/py.typed)
foreach(source ${RK_PYTHON_SOURCES})
  get_filename_component(name ${source} NAME)
  file(CREATE_LINK ${source} ${RK_PACKAGE}/${name} SYMBOLIC)
endforeach()
add_custom_command(TARGET reckon-python POST_BUILD VERBATIM
                   COMMAND ${CMAKE_COMMAND} -E create_symlink $<TARGET_FILE:reckon>
                           ${RK_PACKAGE}/$<TARGET_SONAME_FILE_NAME:reckon>)

if(SKBUILD) # a wheel holds no links
  install(FILES ${RK_PYTHON_SOURCES} ${RK_PACKAGE}/_abi.py DESTINATION reckon COMPONENT python)
  install(FILES $<TARGET_FILE:reckon> DESTINATION reckon COMPONENT python
          RENAME $<TARGET_SONAME_FILE_NAME:reckon>)
endif()
