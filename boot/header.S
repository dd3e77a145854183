/*
 * The multiboot2 header (Multiboot2 specification, "OS image format"). No framebuffer tag: the serial console needs none
 * and some emulators' text display cannot leave text mode.
 */
    .section .multiboot2, "a"
    .balign 8
header:
    .long 0xe85250d6                                      /* magic */
    .long 0                                               /* architecture: i386, 32-bit protected mode */
    .long header_end - header
    .long -(0xe85250d6 + 0 + (header_end - header))

    .balign 8
    .short 6, 0                                           /* module alignment: page boundaries */
    .long 8

    .balign 8
    .short 0, 0                                           /* end */
    .long 8
header_end:
