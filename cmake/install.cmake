# Header, library, command, man pages, and how others find them: pkg-config and find_package.
# Both can be moved: they find the rest of the installation from where they are.
include(CMakePackageConfigHelpers)

install(FILES include/reckon/reckon.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/reckon)
install(TARGETS reckon EXPORT reckon LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET reckon-cli) # which finds the library from where it is, too
  file(RELATIVE_PATH to_library ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(reckon-cli PROPERTIES INSTALL_RPATH $ORIGIN/${to_library})
  install(TARGETS reckon-cli DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

foreach(folder LIBDIR INCLUDEDIR)
  set(RK_PC_${folder} ${CMAKE_INSTALL_${folder}})
  if(NOT IS_ABSOLUTE "${RK_PC_${folder}}")
    set(RK_PC_${folder} "\${prefix}/${RK_PC_${folder}}")
  endif()
endforeach()
set(RK_PKGCONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH RK_PREFIX_FROM_PKGCONFIG ${CMAKE_INSTALL_PREFIX}/${RK_PKGCONFIG_DIR}
     ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" RK_PREFIX_FROM_PKGCONFIG ${RK_PREFIX_FROM_PKGCONFIG})
if(NOT BUILD_SHARED_LIBS) # only a static library hands its dependencies on
  list(JOIN RK_REQUIRES " " RK_PC_REQUIRES)
  set(RK_PC_LIBS "-pthread -ldl -lm")
endif()
configure_file(cmake/reckon.pc.in reckon.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/reckon.pc DESTINATION ${RK_PKGCONFIG_DIR})

set(RK_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/reckon)
install(EXPORT reckon NAMESPACE reckon:: FILE reckon-targets.cmake DESTINATION ${RK_CMAKE_DIR})
configure_package_config_file(cmake/reckon-config.cmake.in reckon-config.cmake
                              INSTALL_DESTINATION ${RK_CMAKE_DIR})
write_basic_package_version_file(reckon-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/reckon-config.cmake
        ${PROJECT_BINARY_DIR}/reckon-config-version.cmake DESTINATION ${RK_CMAKE_DIR})

find_program(SCDOC scdoc)
file(GLOB RK_MAN_SOURCES CONFIGURE_DEPENDS man/*.scd)
if(SCDOC)
  foreach(source ${RK_MAN_SOURCES})
    get_filename_component(page ${source} NAME_WLE) # reckon.1
    string(REGEX MATCH "[0-9]$" section ${page})
    add_custom_command(OUTPUT ${page} COMMAND ${SCDOC} < ${source} > ${page} DEPENDS ${source})
    list(APPEND RK_MAN_PAGES ${PROJECT_BINARY_DIR}/${page})
    install(FILES ${PROJECT_BINARY_DIR}/${page}
            DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  endforeach()
  add_custom_target(man ALL DEPENDS ${RK_MAN_PAGES})
endif()
