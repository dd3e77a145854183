# What a person runs on a PC: the image, the emulator's launcher, the checks of what was built.

HOST_CFLAGS := $(COMMON) -D_GNU_SOURCE -O2 -g -MMD -MP

$(BUILD)/launch/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(HOST_CFLAGS) -c -o $@ $<

$(BUILD)/terminal: $(BUILD)/launch/tools/terminal.o $(BUILD)/launch/tools/emulator.o
	$(Q)echo "  LD   $@"; $(CC) $(HOST_CFLAGS) -o $@ $^

DEMO_CONF := guests/demo/ringfence.conf
DEMO_MODULES := $(BUILD)/guests/vmlinuz-6.1 $(BUILD)/guests/initrd $(BUILD)/guests/heartbeat.elf $(BUILD)/guests/hello.elf

$(BUILD)/ringfence.iso: $(BUILD)/ringfence.elf $(DEMO_CONF) $(DEMO_MODULES) tools/make-iso.sh
	$(Q)echo "  ISO  $@"; tools/make-iso.sh $@ $(BUILD)/ringfence.elf $(DEMO_CONF) vmlinuz=$(BUILD)/guests/vmlinuz-6.1 \
	  initrd=$(BUILD)/guests/initrd heartbeat=$(BUILD)/guests/heartbeat.elf hello=$(BUILD)/guests/hello.elf

.PHONY: deps-run deps-test build-twice
deps-run:
	@tools/deps.sh run
deps-test:
	@tools/deps.sh test

# The image needs the packages first, whatever make runs side by side.
iso: | deps-run
	@$(MAKE) --no-print-directory $(BUILD)/ringfence.iso

run: iso $(BUILD)/terminal
	@MACHINE=$(MACHINE) tools/run.sh $(BUILD)/ringfence.iso $(BUILD)/terminal $(BUILD)/run

## make size        lines, text, data and bss of the hypervisor, room by room
.PHONY: size
size: $(BUILD)/ringfence.elf
	@tools/size.sh $(BUILD)

## make build-twice builds twice in two places and compares every byte
build-twice:
	@tools/build-twice.sh $(BUILD)/twice

-include $(BUILD)/launch/tools/terminal.d $(BUILD)/launch/tools/emulator.d
# rf-check begin
# The configuration checker: the hypervisor's own parser and planner, built for this machine. Unused functions are left
# out, and with them what only the hypervisor has (core/phys.h).
RF_CHECK_C := tools/rf-check.c core/bytes.c core/format.c core/nested.c \
              $(wildcard core/config*.c core/machine*.c core/plan*.c core/text_*.c tools/machine_*.c)
RF_CHECK_O := $(RF_CHECK_C:%.c=$(BUILD)/host/%.o)

$(BUILD)/host/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(COMMON) -O2 -g -ffunction-sections -fdata-sections -MMD -MP -c -o $@ $<

$(BUILD)/rf-check: $(RF_CHECK_O)
	$(Q)echo "  LD   $@"; $(CC) $(COMMON) -O2 -g -Wl,--gc-sections -o $@ $(RF_CHECK_O)

-include $(RF_CHECK_O:.o=.d)
# rf-check end
# bench begin
# Figures. The bench guest's lines, and what the box around it shows, in an emulator where a tick is an instruction.
BENCH := $(BUILD)/bench
BENCH_O := $(BUILD)/launch/tests/bench/figures.o
BENCH_ENGINE := $(or $(MACHINE),$(RINGFENCE_ENGINE),bochs-vmx)

$(BUILD)/system/bin/test_bench: $(BENCH_O)

$(BENCH)/measure: $(BUILD)/launch/tests/bench/measure.o $(BENCH_O) $(BUILD)/launch/tests/system/box.o \
                  $(BUILD)/launch/tools/emulator.o
	@mkdir -p $(@D)
	$(Q)echo "  LD   $@"; $(CC) $(HOST_CFLAGS) -o $@ $^ -lcmocka

# The same Linux, RAM disk and loader with and without the hypervisor.
$(BENCH)/init: tools/bench-init.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(COMMON) -O2 -ffreestanding -fno-stack-protector -fno-pie -static -nostdlib -o $@ $<
$(BENCH)/initrd: $(BENCH)/init tools/bench-initrd.sh
	@tools/bench-initrd.sh $@ $<
$(BENCH)/bench-acpi: $(BUILD)/host/tools/bench-acpi.o $(patsubst %,$(BUILD)/host/core/%.o,acpi_tables bytes)
	$(Q)echo "  LD   $@"; $(CC) $(COMMON) -O2 -Wl,--gc-sections -o $@ $^
$(BENCH)/acpi: $(BENCH)/bench-acpi
	@$< 0x90000 >$@
# How fast the clock is has to be told on Bochs's machine, and there alone it is known.
$(BENCH)/bare-%.iso: $(BUILD)/guests/bench.elf $(BUILD)/guests/vmlinuz-6.1 $(BENCH)/initrd $(BENCH)/acpi tools/bench-iso.sh \
                     tests/bench/bare.menu
	@tools/bench-iso.sh $@ "$$(sed '$(if $(filter bochs-%,$*),,s/ tsc_early_khz=[0-9]*//)' tests/bench/bare.menu)" bench=$(BUILD)/guests/bench.elf \
	  vmlinuz=$(BUILD)/guests/vmlinuz-6.1 initrd=$(BENCH)/initrd acpi=$(BENCH)/acpi
$(BENCH)/peer.iso: $(BUILD)/guests/bench.elf tools/bench-peer.sh tools/kvm-iso.sh tools/bench-iso.sh
	@tools/bench-peer.sh $@ $<
$(BENCH)/peer-smp.iso: $(BUILD)/guests/bench.elf tools/bench-peer.sh tools/kvm-iso.sh tools/bench-iso.sh
	@tools/bench-peer.sh $@ $< only-smp

## make bench       speed and size as figures, beside their targets; PEER=kvm: beside KVM on the same emulated machine;
##                  MACHINE=kvm: in cycles of this computer's own clock
## make bench-readme  writes what make bench has measured into README.md
## make bench-accept  measures the exit paths and takes their exact figures as what the tests expect
.PHONY: bench bench-readme bench-accept
bench: deps-test
	@$(MAKE) --no-print-directory $(BENCH)/measure $(BUILD)/ringfence.elf $(GUEST_ELFS) $(BUILD)/guests/vmlinuz-6.1 \
	  $(BENCH)/initrd $(BENCH)/bare-$(BENCH_ENGINE).iso $(if $(PEER),$(BENCH)/peer.iso $(BENCH)/peer-smp.iso)
	@RINGFENCE_BUILD=$(BUILD) RINGFENCE_ENGINE=$(BENCH_ENGINE) PEER=$(PEER) tools/bench.sh
bench-readme:
	@tools/bench-readme.sh $(BUILD)/bench.json README.md
bench-accept: $(BENCH)/measure $(BUILD)/ringfence.elf $(GUEST_ELFS)
	@RINGFENCE_BUILD=$(BUILD) tools/bench.sh accept

-include $(BENCH_O:.o=.d) $(BUILD)/launch/tests/bench/measure.d $(BUILD)/host/tools/bench-acpi.d
# bench end
