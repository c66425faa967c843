/* Answers questions from C: one a line on stdin, each answer a line on stdout. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chrysalis.h"

int main(void) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    if (chrysalis_verify(NULL) != NULL) return 3;
    chrysalis_free(NULL);
    while ((length = getline(&line, &room, stdin)) > 0) {
        if (line[length - 1] == '\n') line[length - 1] = '\0';
        char *answer = chrysalis_verify(line);
        if (answer == NULL) return 4;
        puts(answer);
        chrysalis_free(answer);
    }
    free(line);
    return 0;
}
