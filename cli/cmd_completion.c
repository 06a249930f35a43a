/* reckon completion bash: from the tables of commands and options. */
#include <string.h>

#include "commands.h"
#include "message.h"

int cmd_completion(const options *opts) {
    if (!opts->operand || strcmp(opts->operand, "bash"))
        return fail(EXIT_USAGE, "completion: for bash only: eval \"$(reckon completion bash)\"");
    puts("_reckon() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} options=");
    printf("    local commands='--help --version");
    for (const command *cmd = command_table; cmd->name; cmd++)
        printf(" %s", cmd->name);
    puts("'\n"
         "    if ((COMP_CWORD == 1)); then\n"
         "        COMPREPLY=($(compgen -W \"$commands\" -- \"$word\"))\n"
         "        return\n"
         "    fi\n"
         "    case ${COMP_WORDS[1]} in");
    for (const command *cmd = command_table; cmd->name; cmd++) {
        printf("    %s) options='", cmd->name);
        for (const option_row *row = option_table; row->name; row++)
            if (row->commands & cmd->bit) printf("--%s ", row->name);
        puts("' ;;");
    }
    puts("    esac\n"
         "    case $word in\n"
         "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
         "    esac\n"
         "}\n"
         "complete -o filenames -F _reckon reckon");
    return 0;
}
