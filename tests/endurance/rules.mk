# What runs for long: not part of `make test`, but for a few of the restarts.

# The load is a program in the guest's RAM disk.
$(BUILD)/guests/load: tests/endurance/load.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(COMMON) -D_GNU_SOURCE -O2 -static -pthread -o $@ $<
$(BUILD)/guests/initrd-load: $(BUILD)/guests/initrd $(BUILD)/guests/load tests/endurance/make-initrd.sh
	@tests/endurance/make-initrd.sh $(BUILD)/guests/initrd $(BUILD)/guests/load $@

$(BUILD)/endurance: $(BUILD)/launch/tests/endurance/endurance.o $(SYSTEM_LIB_O)
	$(Q)echo "  LD   $@"; $(CC) $(HOST_CFLAGS) -o $@ $^ -lcmocka

## make endurance   an SMP guest with virtual interrupts under ticks and messages for SECONDS=60 of its time; MACHINE=...
# An emulated CPU of 5 MHz does the load with time to spare, and an hour of it takes a tenth of what 100 MHz would.
.PHONY: endurance
endurance: export RINGFENCE_IPS ?= 5000000
endurance: $(BUILD)/endurance $(BUILD)/ringfence.elf $(BUILD)/guests/vmlinuz-6.1 $(BUILD)/guests/initrd-load
	@RINGFENCE_BUILD=$(BUILD) RINGFENCE_ENGINE=$(or $(MACHINE),bochs-vmx) SECONDS_OF_LOAD=$(SECONDS) $(BUILD)/endurance

$(BUILD)/system/bin/test_restarts: $(BUILD)/launch/tests/endurance/restarts.o $(SYSTEM_LIB_O)
	@mkdir -p $(@D)
	$(Q)echo "  LD   $@"; $(CC) $(HOST_CFLAGS) -o $@ $^ -lcmocka

## make restarts    COUNT=1000 restarts of one partition, what it does meanwhile drawn from SEED=1; MACHINE=...
.PHONY: restarts
restarts: $(BUILD)/system/bin/test_restarts $(BUILD)/ringfence.elf $(GUEST_ELFS)
	@RINGFENCE_BUILD=$(BUILD) RINGFENCE_ENGINE=$(or $(MACHINE),bochs-vmx) RINGFENCE_RESTARTS=$(or $(COUNT),1000) \
	  RINGFENCE_SEED=$(SEED) $<

-include $(BUILD)/launch/tests/endurance/endurance.d $(BUILD)/launch/tests/endurance/restarts.d
