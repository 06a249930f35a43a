/* reckon: what a neural network computes on average, from its weights. */
#include <locale.h>
#include <stdint.h>
#include <string.h>

#include "collision.h"
#include "commands.h"
#include "message.h"
#include "reckon/reckon.h"

static int cmd_help(const options *opts);

const command command_table[] = {
    {"random", CMD_RANDOM, "", "write a random network", cmd_random},
    {"inspect", CMD_INSPECT, "FILE", "layers, what was inferred, how random the weights look",
     cmd_inspect},
    {"estimate", CMD_ESTIMATE, "FILE...", "the mean of the outputs, with its error", cmd_estimate},
    {"explain", CMD_EXPLAIN, "FILE", "what estimate would do and cost, without doing it",
     cmd_explain},
    {"compare", CMD_COMPARE, "FILE", "methods against Monte Carlo: error, FLOPs, seconds",
     cmd_compare},
    {"tail", CMD_TAIL, "FILE", "how likely rare events are", cmd_tail},
    {"distill", CMD_DISTILL, "FILE", "a smaller network that does what this one does", cmd_distill},
    {"train", CMD_TRAIN, "FILE", "the same network, but for an event that is rarer", cmd_train},
    {"doctor", CMD_DOCTOR, "", "what this build and machine can do", cmd_doctor},
    {"completion", CMD_COMPLETION, "bash", "print shell completions", cmd_completion},
    {"help", CMD_HELP, "COMMAND", "help on a command", cmd_help},
    {NULL, 0, NULL, NULL, NULL},
};

const command *command_find(const char *name) {
    for (const command *cmd = command_table; cmd->name; cmd++)
        if (!strcmp(cmd->name, name)) return cmd;
    return NULL;
}

static const char *command_name_at(unsigned unused, size_t index) {
    (void)unused;
    return command_table[index].name;
}

static int unknown_command(const char *name) {
    char near[80];
    return fail(EXIT_USAGE, "unknown command '%s'%s", name,
                suggest(name, command_name_at, 0, "", near));
}

static void print_methods(FILE *stream, const char *title,
                          const rk_method_info *(*method_at)(size_t index)) {
    fprintf(stream, "\n%s\n", title);
    const rk_method_info *method;
    for (size_t i = 0; (method = method_at(i)); i++) {
        fprintf(stream, "  %-12s %s\n", method->name, method->summary);
        if (*method->arguments)
            fprintf(stream, "  %-12s   %s:%s\n", "", method->name, method->arguments);
    }
}

static void print_overview(FILE *stream) {
    fputs("Usage: reckon COMMAND [OPTION]... [FILE]\n"
          "What a neural network computes on average, from its weights.\n\n",
          stream);
    for (const command *cmd = command_table; cmd->name; cmd++)
        fprintf(stream, "  %-12s %s\n", cmd->name, cmd->summary);
    fputs("\n  reckon compare --example             see it at work\n"
          "  reckon estimate net.safetensors      the main job\n"
          "  reckon help estimate                 all about one command\n\n"
          "FILE is a .safetensors, .npz, .npy or .pt file, or - for stdin.\n"
          "Exit codes: 0 done, 1 failed, 2 usage, 3 bad model file, 4 the answer is printed but "
          "tolerance\n"
          "or budget are not met, its receipt refutes it or it is not finite, 130 interrupted.\n",
          stream);
}

void print_help(FILE *stream, const command *cmd) {
    if (!cmd) {
        print_overview(stream);
        return;
    }
    fprintf(stream, "Usage: reckon %s [OPTION]...%s%s\n%s.\n\n", cmd->name,
            *cmd->operand ? " " : "", cmd->operand, cmd->summary);
    options_print_help(stream, cmd->bit);
    if (cmd->bit & (CMD_ESTIMATE | CMD_EXPLAIN | CMD_COMPARE))
        print_methods(stream, "METHODS", rk_method_at);
    if (cmd->bit & CMD_TAIL) print_methods(stream, "METHODS", rk_tail_method_at);
}

static int cmd_help(const options *opts) {
    const command *cmd = opts->operand ? command_find(opts->operand) : NULL;
    if (opts->operand && !cmd) return unknown_command(opts->operand);
    print_help(stdout, cmd);
    return 0;
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr, NULL);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        printf("reckon %s\n", rk_version());
        return 0;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) name = "help";
    const command *cmd = command_find(name);
    if (!cmd) return unknown_command(name);
    options opts;
    const size_t max_operands = strstr(cmd->operand, "...") ? SIZE_MAX : *cmd->operand ? 1 : 0;
    int code = options_parse(&opts, cmd->bit, cmd->name, max_operands, argc - 2, argv + 2);
    if (code) return code;
    if (opts.help) {
        print_help(stdout, cmd);
        return 0;
    }
    if (opts.quiet) message_be_quiet();
    if ((code = collision_check(&opts))) return code;
    return cmd->run(&opts);
}

int main(int argc, char **argv) {
    setlocale(LC_CTYPE, ""); /* and nothing else: numbers have a point */
    int code = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) return fail(EXIT_FAILED, "cannot write to stdout");
    return code;
}
