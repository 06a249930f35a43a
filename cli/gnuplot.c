#include "gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"
#include "output.h"

static const struct terminal {
    const char *ending, *command;
} terminals[] = {
    {".svg", "svg size 1100,480 font 'Helvetica,14' background rgb 'white'"},
    {".png", "pngcairo size 2200,960 font 'Helvetica,11' fontscale 2 linewidth 2 pointscale 2"},
    {".pdf", "pdfcairo size 11in,4.8in font 'Helvetica,10'"},
};

static const struct terminal *terminal_of(const char *path) {
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof terminals / sizeof *terminals; i++)
        if (!strcmp(dot, terminals[i].ending)) return &terminals[i];
    return NULL;
}

int gnuplot_check_path(const char *path) {
    if (terminal_of(path)) return 0;
    return fail(EXIT_USAGE, "--plot: '%s' should end in .svg, .png or .pdf", path);
}

const char *gnuplot_color(size_t index) {
    static const char *const palette[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                          "#8a6d00", "#5b4b9a", "#222222", "#1f9bcf"};
    return palette[index % (sizeof palette / sizeof *palette)];
}

/* gnuplot scripts can run commands; a single-quoted string cannot. */
void gnuplot_quote(FILE *stream, const char *text) {
    fputc('\'', stream);
    for (; *text; text++) {
        if (*text == '\'') fputc('\'', stream);
        fputc((unsigned char)*text < ' ' || *text == 127 ? ' ' : *text, stream);
    }
    fputc('\'', stream);
}

/* Runs gnuplot with one argument, no shell. Its exit code, 127 if there is no gnuplot; -1 if it
 * could not be started or died. */
static int run_gnuplot(const char *argument) {
    pid_t child = fork();
    if (child == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO); /* our stdout is for results */
        int null = open("/dev/null", O_RDONLY);
        if (null >= 0) dup2(null, STDIN_FILENO);
        char program[] = "gnuplot", *copy = strdup(argument);
        execvp(program, (char *const[]){program, copy, NULL});
        _exit(127);
    }
    int status;
    if (child < 0) return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool gnuplot_found(void) {
    const char *path = getenv("PATH");
    char *copy = path ? strdup(path) : NULL, *rest = NULL, program[4096];
    bool found = false;
    for (char *dir = copy ? strtok_r(copy, ":", &rest) : NULL; dir && !found;
         dir = strtok_r(NULL, ":", &rest)) {
        snprintf(program, sizeof program, "%s/gnuplot", dir);
        found = access(program, X_OK) == 0;
    }
    free(copy);
    return found;
}

typedef struct script {
    const char *image;
    void (*print)(const void *context, FILE *stream);
    const void *context;
} script;

static int print_whole(const void *result, FILE *stream) {
    const script *s = result;
    fprintf(stream, "# gnuplot script with its data; edit and run again.\nset terminal %s\n",
            terminal_of(s->image)->command);
    fputs("set output ", stream);
    gnuplot_quote(stream, s->image);
    fputc('\n', stream);
    s->print(s->context, stream);
    return 0;
}

char *gnuplot_script_path(const char *path) {
    const char *dot = strrchr(path, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path);
    /* "./" so that no name looks like an option to gnuplot */
    size_t size = stem + sizeof "./.gp";
    char *script_path = malloc(size);
    if (script_path)
        snprintf(script_path, size, "%s%.*s.gp", *path == '-' ? "./" : "", (int)stem, path);
    return script_path;
}

int gnuplot_draw(const char *path, void (*print)(const void *context, FILE *stream),
                 const void *context) {
    char *script_path = gnuplot_script_path(path);
    if (!script_path) return fail(EXIT_FAILED, "out of memory");
    script s = {path, print, context};
    int code = output_print(script_path, print_whole, &s);
    if (!code) {
        int rc = run_gnuplot(script_path);
        if (rc == 127) {
            note("gnuplot is not installed: the figure is in %s, for later", script_path);
        } else if (rc != 0) {
            unlink(path); /* half a figure */
            code = fail(EXIT_FAILED, "gnuplot could not draw %s from %s", path, script_path);
        } else {
            note("wrote %s and its script %s", path, script_path);
        }
    }
    free(script_path);
    return code;
}
