# Ringfence: `make run` shows it, `make test` proves it, `make help` lists the rest.

BUILD  ?= build
# `make V=1` shows every command.
Q := $(if $(V),,@)
ifeq ($(origin CC),default)
CC := gcc
endif
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wundef -Wvla -Wswitch-enum -Wstrict-prototypes \
            -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Werror
COMMON   := -std=gnu17 -I. -I$(BUILD) $(WARNINGS)

# The hypervisor: no FPU or vector registers (the guest's stay in place), no red zone (exceptions use the stack), and
# nothing in the output that depends on where or when it was built.
HV_OPT ?= -Os
HV_CFLAGS := $(COMMON) $(HV_OPT) -g -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -mcmodel=small \
             -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing \
             $(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns) \
             -fno-common -ffunction-sections -fdata-sections -Wframe-larger-than=1536 \
             -ffile-prefix-map=$(CURDIR)=. -MMD -MP
HV_LDFLAGS := -n -z max-page-size=4096 -z noexecstack --gc-sections --build-id=none --fatal-warnings -T linker.ld

HV_C := $(wildcard boot/*.c arch/x86_64/*.c arch/x86_64/*/*.c core/*.c drivers/hw/*.c drivers/virt/*.c)
HV_S := $(wildcard boot/*.S arch/x86_64/*.S arch/x86_64/*/*.S)
HV_C := $(filter-out arch/x86_64/offsets.c, $(HV_C))
HV_O := $(BUILD)/hv/font.o $(HV_C:%.c=$(BUILD)/hv/%.o) $(HV_S:%.S=$(BUILD)/hv/%.S.o)

.PHONY: all iso run test clean help
all: $(BUILD)/ringfence.elf $(BUILD)/rf-check

$(BUILD)/ringfence.elf: $(HV_O) linker.ld
	$(Q)echo "  LD   $@"; $(LD) $(HV_LDFLAGS) -o $@ $(HV_O)
	@tools/check-elf.sh $@

# The screen's font comes out of Debian's grub-common package.
FONT := /usr/share/grub/ascii.pf2
$(FONT):
	@echo "$(FONT) is missing: run tools/deps.sh build" >&2; exit 1
$(BUILD)/font.c: $(BUILD)/font $(FONT)
	$(Q)$(BUILD)/font $(FONT) > $@
$(BUILD)/font: tools/font.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMMON) -O2 -o $@ $<
$(BUILD)/hv/font.o: $(BUILD)/font.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) -c -o $@ $<

# On the way of the hottest exits instructions count, elsewhere bytes do.
HV_HOT_C := core/fast_apic.c core/fast_memory.c drivers/virt/platform_quick.c drivers/virt/ioapic.c \
            arch/x86_64/apic.c arch/x86_64/phys_compare.c arch/x86_64/vmx/fast_exit.c arch/x86_64/svm/fast_exit.c
$(HV_HOT_C:%.c=$(BUILD)/hv/%.o): HV_CFLAGS += -O2

$(BUILD)/hv/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(HV_CFLAGS) -c -o $@ $<

$(BUILD)/hv/%.S.o: %.S $(BUILD)/offsets.h
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(HV_CFLAGS) -c -o $@ $<

# Offsets for the assembly come out of the compiler, never from a person.
$(BUILD)/offsets.h: arch/x86_64/offsets.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) -MT $@ -MF $(BUILD)/offsets.d -S -o $(BUILD)/offsets.s $<
	$(Q)sed -n 's/.*->\([A-Z0-9_]*\) \([-0-9]*\)".*/#define \1 \2/p' $(BUILD)/offsets.s > $@

include tools/rules.mk
include guests/rules.mk
include tests/rules.mk

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make             build/ringfence.elf and build/rf-check
## make iso         build/ringfence.iso: boots from BIOS and UEFI, CD and USB stick
## make run         boot it in an emulator, console on this terminal; MACHINE=kvm, bochs-vmx, bochs-svm, qemu-svm
##                  or qemu-svm-uefi names the machine
## make test        unit tests, then whole-system tests in an emulator
## make clean       remove build/

clean:
	rm -rf $(BUILD)

-include $(HV_O:.o=.d) $(BUILD)/offsets.d
