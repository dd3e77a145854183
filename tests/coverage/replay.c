/*
 * Runs one fuzz target over files instead of random inputs: replay FILE|DIRECTORY... It takes libFuzzer's place where
 * the compiler has none, so that what fuzzing learned counts wherever the unit tests run.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/input.h"

enum { INPUT_MAX = 1024 * 1024 };

static void __attribute__((noreturn)) fail(const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    exit(1);
}

/* The input lies in a block of exactly its size, so that a sanitizer sees one byte too many being read. */
static void run_file(const char *path)
{
    static uint8_t bytes[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail(path);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    if (ferror(file) || size == sizeof bytes)
        fail(path);
    fclose(file);
    uint8_t *block = malloc(size);
    require(block != NULL || size == 0);
    if (size != 0)
        memcpy(block, bytes, size);
    (void)LLVMFuzzerTestOneInput(block, size);
    free(block);
}

static unsigned run_directory(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        fail(path);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char file[4096];
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(file, sizeof file, "%s/%s", path, entry->d_name) >= (int)sizeof file)
            fail(path);
        run_file(file);
        count++;
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (stat(argv[i], &status) != 0)
            fail(argv[i]);
        if (S_ISDIR(status.st_mode)) {
            count += run_directory(argv[i]);
        } else {
            run_file(argv[i]);
            count++;
        }
    }
    printf("%u inputs\n", count);
    return count == 0; /* a target that was given nothing has shown nothing */
}
