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
	@tools/run.sh $(BUILD)/ringfence.iso $(BUILD)/terminal $(BUILD)/run

## make build-twice builds twice in two places and compares every byte
build-twice:
	@tools/build-twice.sh $(BUILD)/twice

-include $(BUILD)/launch/tools/terminal.d $(BUILD)/launch/tools/emulator.d
# rf-check begin
# The configuration checker: the hypervisor's own parser and planner, built for this machine. Unused functions are left
# out, and with them what only the hypervisor has (core/phys.h).
RF_CHECK_C := tools/rf-check.c core/bytes.c core/format.c core/nested.c \
              $(wildcard core/config*.c core/machine*.c core/plan*.c core/text_*.c)
RF_CHECK_O := $(RF_CHECK_C:%.c=$(BUILD)/host/%.o)

$(BUILD)/host/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(COMMON) -O2 -g -ffunction-sections -fdata-sections -MMD -MP -c -o $@ $<

$(BUILD)/rf-check: $(RF_CHECK_O)
	$(CC) $(COMMON) -O2 -g -Wl,--gc-sections -o $@ $(RF_CHECK_O)

-include $(RF_CHECK_O:.o=.d)
# rf-check end
