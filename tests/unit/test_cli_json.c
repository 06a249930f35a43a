/* A JSON object is printed whole or not at all, whichever piece of memory is refused. */
#include "cli/json.h"

#include "cli/message.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants some of the above */
#include <cmocka.h>

static int left; /* allocations until one fails; 0: none does */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size) {
    return left > 0 && --left == 0 ? NULL : __real_malloc(size);
}

/* In parentheses because cmocka has a macro of that name. */
int(fail)(int code, const char *format, ...) {
    (void)format;
    return code;
}

static int print(FILE *stream) {
    static const double x[] = {1, 2.5, -1e-300, (double)NAN};
    json_document doc = json_begin("test/1");
    json_object_set_new(doc.root, "text", json_text_or_null("text"));
    json_object_set_new(doc.root, "matrix", json_matrix(&doc, x, 2, 2));
    json_object_set_new(doc.root, "tensor", json_tensor(&doc, x, 1, 3));
    json_object_set_new(doc.root, "count", json_count(7));
    json_warn(&doc, "a warning");
    return json_end(&doc, stream);
}

static void test_whole_or_an_error(void **state) {
    (void)state;
    static const char wanted[] =
        "\"text\": \"text\", \"matrix\": [[1.0, 2.5], [-1e-300, null]], \"tensor\": [[[1.0]]], "
        "\"count\": 7, \"warnings\": [\"a warning\", \"1 numbers are not finite and written as "
        "null\"]}\n";
    FILE *stream = tmpfile();
    assert_non_null(stream);
    char text[500] = "";
    assert_int_equal(print(stream), 0);
    rewind(stream);
    assert_true(fread(text, 1, sizeof text - 1, stream) > 0);
    assert_non_null(strstr(text, wanted));
    long whole = ftell(stream);
    for (int k = 1;; k++) {
        rewind(stream);
        left = k;
        int code = print(stream);
        if (left > 0) { /* fewer than k were made */
            assert_true(k > 20 && code == 0);
            break;
        }
        assert_true(code != 0);
        assert_true(ftell(stream) < whole);
    }
    fclose(stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole_or_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
