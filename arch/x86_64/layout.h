/*
 * The hypervisor's virtual address space, one PML4 slot (512 GiB) per purpose. Read by C and by assembly.
 *
 *   slot 0   the image at 2 MiB, where it was linked; the AP trampoline while CPUs are started
 *   slot 1   windows: two moving 2 MiB pages per CPU, the only way to other physical memory
 *   slot 2   per-CPU areas: stacks with guard pages between them, and struct percpu
 *   slot 3   the heap: hypervisor memory taken at boot
 *   slot 4   devices the hypervisor itself drives, uncached
 */
#pragma once

#define PML4_WINDOW 1
#define PML4_PERCPU 2
#define PML4_HEAP   3
#define PML4_DEVICE 4

#define LAYOUT_SLOT(n) ((n) << 39)

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18
