/* The commands: one table (main.c), one cmd_*.c each. A command returns its exit code. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "options.h"

typedef struct command {
    const char *name;
    unsigned bit;
    const char *operand; /* as the synopsis shows it: "FILE", "FILE..." for several; "": none */
    const char *summary;
    int (*run)(const options *opts);
} command;

/** Bits for option_row.commands. */
enum {
    CMD_RANDOM = 1 << 0,
    CMD_INSPECT = 1 << 1,
    CMD_ESTIMATE = 1 << 2,
    CMD_EXPLAIN = 1 << 3,
    CMD_COMPARE = 1 << 4,
    CMD_DOCTOR = 1 << 5,
    CMD_COMPLETION = 1 << 6,
    CMD_HELP = 1 << 7,
    CMD_TAIL = 1 << 8,
    CMD_DISTILL = 1 << 9,
    CMD_TRAIN = 1 << 10
};

/** Ends with a row whose name is NULL. */
extern const command command_table[];

/** NULL if there is no such command. */
const command *command_find(const char *name);

/** Help on one command, or on the program if `cmd` is NULL. */
void print_help(FILE *stream, const command *cmd);

int cmd_random(const options *opts);
int cmd_inspect(const options *opts);
int cmd_estimate(const options *opts);
int cmd_explain(const options *opts);
int cmd_compare(const options *opts);
int cmd_tail(const options *opts);
int cmd_distill(const options *opts);
int cmd_train(const options *opts);
int cmd_doctor(const options *opts);
int cmd_completion(const options *opts);

#endif
