/* The header of a Linux kernel: any bytes, in a module of any size at any address. */
#include "tests/proof/loader.h"
#include "core/loader_linux.c"

int main(void)
{
    loader_unknown();
    (void)!loader_linux_check(&partition, &machine, &sink);
    return 0;
}
