# Tests. unit: every pure source with every sanitizer, on this machine. system: the whole thing in an emulator.

# Pure sources: core/, the virtual devices, the readers of foreign tables in boot/, the backends' checks.
PURE_C := $(wildcard core/*.c drivers/virt/*.c boot/acpi*.c boot/multiboot2*.c arch/x86_64/*/entry_check*.c) \
          arch/x86_64/svm/length.c arch/x86_64/heap.c drivers/hw/screen.c tools/machine_parse.c tools/machine_keys.c
UNIT_FAKES := $(wildcard tests/unit/fake_*.c)
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_CFLAGS := $(COMMON) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -MMD -MP
UNIT_LIB := $(BUILD)/unit/libpure.a
UNIT_LDLIBS := -lcmocka

$(BUILD)/unit/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(UNIT_CFLAGS) -c -o $@ $<

$(BUILD)/unit/font.o: $(BUILD)/font.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) -c -o $@ $<

UNIT_O := $(BUILD)/unit/font.o $(PURE_C:%.c=$(BUILD)/unit/%.o) $(UNIT_FAKES:%.c=$(BUILD)/unit/%.o)
$(UNIT_LIB): $(UNIT_O)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(BUILD)/unit/bin/%: $(BUILD)/unit/tests/unit/%.o $(UNIT_LIB)
	@mkdir -p $(@D)
	$(Q)echo "  LD   $@"; $(CC) $(UNIT_CFLAGS) -o $@ $< $(UNIT_LIB) $(UNIT_LDLIBS)

# The decoder is held against somebody else's.
$(BUILD)/unit/bin/test_decode: UNIT_LDLIBS += -lZydis

## make unit        the unit tests alone
.PHONY: unit
unit: $(UNIT_TESTS:%=$(BUILD)/unit/bin/%) $(BUILD)/rf-check
	@tests/run-unit.sh $(UNIT_TESTS:%=$(BUILD)/unit/bin/%)
	@tests/unit/rf-check.sh $(BUILD)/rf-check

-include $(UNIT_O:.o=.d) $(UNIT_TESTS:%=$(BUILD)/unit/tests/unit/%.d)

# The whole machine: each program boots images in an emulator.
# The longest come first, so that none of them runs alone at the end.
SYSTEM_LONG := test_linux_restart test_linux_pair test_life
SYSTEM_TESTS := $(SYSTEM_LONG) $(filter-out $(SYSTEM_LONG),$(patsubst tests/system/%.c,%,$(wildcard tests/system/test_*.c)))
SYSTEM_BIN := $(SYSTEM_TESTS:%=$(BUILD)/system/bin/%) $(BUILD)/system/bin/test_restarts
SYSTEM_LIB_O := $(BUILD)/launch/tests/system/box.o $(BUILD)/launch/tools/emulator.o

$(BUILD)/system/bin/%: $(BUILD)/launch/tests/system/%.o $(SYSTEM_LIB_O)
	@mkdir -p $(@D)
	$(Q)echo "  LD   $@"; $(CC) $(HOST_CFLAGS) -o $@ $^ -lcmocka

$(BUILD)/system/bin/test_attack $(BUILD)/system/bin/test_random: \
  $(BUILD)/launch/tests/system/attack_table.o $(BUILD)/launch/tests/system/attack_box.o

## make attack      everything a hostile guest can try, on every machine; writes tests/ATTACKS.md (half an hour each, two
##                  groups at a time; RINGFENCE_JOBS=2 ATTACK_MACHINES="bochs-vmx bochs-vmx/virtual bochs-svm qemu-svm")
.PHONY: attack
ATTACK_MACHINES ?= bochs-vmx bochs-vmx/virtual bochs-svm qemu-svm
attack: $(BUILD)/system/bin/test_attack $(BUILD)/ringfence.elf $(GUEST_ELFS)
	@RINGFENCE_BUILD=$(BUILD) tests/attack.sh $< tests/ATTACKS.md $(ATTACK_MACHINES)

## make attack-random  random instructions and random exits until there were EXITS=10000000; SEED=n, MACHINE=bochs-vmx
.PHONY: attack-random
attack-random: $(BUILD)/system/bin/test_random $(BUILD)/ringfence.elf $(GUEST_ELFS)
	@RINGFENCE_BUILD=$(BUILD) RINGFENCE_ENGINE=$(or $(MACHINE),bochs-vmx) RINGFENCE_EXITS=$(or $(EXITS),10000000) \
	  RINGFENCE_RANDOM_SEED=$(SEED) $<

## make system      the system tests alone (MACHINES="bochs-vmx bochs-svm qemu-svm qemu-svm-uefi
##                  bochs-vmx-kvm")
.PHONY: system check-clang
system: $(SYSTEM_BIN) $(BUILD)/ringfence.elf $(BUILD)/rf-check $(GUEST_ELFS) $(GUEST_PROGRAMS) \
        $(BUILD)/guests/initrd $(BUILD)/guests/initrd-watchdog
	@tools/kvm-tree.sh fetch
	@RINGFENCE_BUILD=$(BUILD) MACHINES="$(MACHINES)" tests/run-system.sh $(BUILD)/system/bin

## make support     runs every guest on every machine in every interrupt mode, and writes SUPPORT.md; in parts with
##                  SUPPORT_MACHINES="qemu-svm ..." SUPPORT_MODES="direct virtual" SUPPORT_GUESTS="grub ..."
.PHONY: support
support: $(BUILD)/system/bin/test_guests $(BUILD)/ringfence.elf $(GUEST_PROGRAMS) $(BUILD)/guests/initrd
	@RINGFENCE_BUILD=$(BUILD) tests/support.sh $(BUILD)/system/bin/test_guests SUPPORT.md

# The other compiler sees other mistakes.
check-clang:
	@$(MAKE) --no-print-directory -s BUILD=$(BUILD)/clang CC=clang $(BUILD)/clang/ringfence.elf guests
	@echo "check-clang: builds without a warning"

# All stages run even when one fails, so that one look shows everything. What they need is built on all CPUs before; what does
# not build is told by its stage.
test: deps-test
	@mkdir -p $(BUILD)
	@$(MAKE) --no-print-directory -k -j$(shell nproc) test-build >$(BUILD)/test-build.log 2>&1 || true
	@$(MAKE) --no-print-directory -k unit check-clang fuzz-short system build-twice

-include $(SYSTEM_LIB_O:.o=.d) $(SYSTEM_TESTS:%=$(BUILD)/launch/tests/system/%.d)

include tests/endurance/rules.mk
include tests/fuzz/rules.mk
include tests/coverage/rules.mk
include tests/proof/rules.mk

.PHONY: test-build
test-build: $(UNIT_TESTS:%=$(BUILD)/unit/bin/%) $(FUZZ_BIN) $(SYSTEM_BIN) $(BUILD)/rf-check $(BUILD)/ringfence.elf check-clang \
            $(GUEST_ELFS)
