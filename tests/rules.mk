# Tests. unit: every pure source with every sanitizer, on this machine. system: the whole thing in an emulator.

PURE_C := $(wildcard core/*.c drivers/virt/*.c) $(wildcard boot/multiboot2.c boot/acpi.c arch/x86_64/vmx/entry_check.c)
UNIT_FAKES := $(wildcard tests/unit/fake_*.c)
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_CFLAGS := $(COMMON) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -MMD -MP
UNIT_LIB := $(BUILD)/unit/libpure.a
UNIT_LDLIBS := -lcmocka

$(BUILD)/unit/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -c -o $@ $<

UNIT_O := $(PURE_C:%.c=$(BUILD)/unit/%.o) $(UNIT_FAKES:%.c=$(BUILD)/unit/%.o)
$(UNIT_LIB): $(UNIT_O)
	@rm -f $@
	$(AR) rcsD $@ $^

$(BUILD)/unit/bin/%: $(BUILD)/unit/tests/unit/%.o $(UNIT_LIB)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -o $@ $< $(UNIT_LIB) $(UNIT_LDLIBS)

## make unit        the unit tests alone
.PHONY: unit
unit: $(UNIT_TESTS:%=$(BUILD)/unit/bin/%)
	@tests/run-unit.sh $(UNIT_TESTS:%=$(BUILD)/unit/bin/%)

-include $(UNIT_O:.o=.d) $(UNIT_TESTS:%=$(BUILD)/unit/tests/unit/%.d)
