/* Multiboot2 headers and their tags: any bytes, in a module of any size at any address. */
#include "tests/proof/loader.h"
#include "core/loader_multiboot_header.c"

/* Has a proof of its own. */
bool loader_elf_decode(const struct loader_image *image, struct loader_program *out) { return unknown_bool(); }

int main(void)
{
    static struct loader_program program;
    struct loader_image image;
    if (!loader_unknown_image(&image))
        return 0;
    (void)!loader_multiboot2_decode(&image, &program);
    return 0;
}
