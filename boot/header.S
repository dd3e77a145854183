/*
 * The multiboot2 header (Multiboot2 specification, "OS image format"). A framebuffer is welcome and not needed: whether GRUB
 * leaves text mode is decided in grub.cfg by gfxpayload, since some emulators' displays cannot.
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
    .short 5, 1                                           /* framebuffer, optional: any size and depth */
    .long 20
    .long 0, 0, 0

    .balign 8
    .short 0, 0                                           /* end */
    .long 8
header_end:
