/* ELF headers, program headers and notes: any bytes, in a module of any size at any address. */
#include "tests/proof/loader.h"
#include "core/loader_elf.c"
#include "core/loader_layout.c"

int main(void)
{
    static struct loader_program program;
    struct loader_image image;
    if (!loader_unknown_image(&image))
        return 0;
    struct range low = {PAGE_SIZE, MIB};
    uint64_t out;
    if (loader_elf_decode(&image, &program))
        (void)!program_check(&image, &program, low, loader_image_area(&partition), &out);
    (void)!loader_elf_note_find(&image, "Xen", (uint32_t)unknown_64(), &out);
    return 0;
}
