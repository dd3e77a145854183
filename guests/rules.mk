# Small guests of our own, and the files that the demo image holds. The guests are 64-bit code in 32-bit ELF files,
# because that is what a multiboot1 loader takes.

GUESTS := hello heartbeat bench hostile canary
GUEST_COMMON_O := $(patsubst %.c,$(BUILD)/%.o,$(wildcard guests/common/*.c)) $(BUILD)/guests/common/start.S.o
GUEST_ELFS := $(GUESTS:%=$(BUILD)/guests/%.elf)

$(BUILD)/guests/%.o: guests/%.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(HV_CFLAGS) -c -o $@ $<

$(BUILD)/guests/%.S.o: guests/%.S
	@mkdir -p $(@D)
	$(Q)echo "  CC   $<"; $(CC) $(HV_CFLAGS) -c -o $@ $<

define guest_prerequisites
$(BUILD)/guests/$(1).elf64: $(patsubst %.c,$(BUILD)/%.o,$(wildcard guests/$(1)/*.c)) \
  $(patsubst %.S,$(BUILD)/%.S.o,$(wildcard guests/$(1)/*.S))
endef
$(foreach guest,$(GUESTS),$(eval $(call guest_prerequisites,$(guest))))

$(BUILD)/guests/%.elf64: $(GUEST_COMMON_O) guests/common/guest.ld
	$(Q)echo "  LD   $@"; $(LD) -n -z max-page-size=4096 -z noexecstack --gc-sections --build-id=none --fatal-warnings \
	  -T guests/common/guest.ld -o $@ $(filter %.o,$^)

$(BUILD)/guests/%.elf: $(BUILD)/guests/%.elf64
	$(Q)objcopy --strip-debug -I elf64-x86-64 -O elf32-i386 $< $@

# Unmodified kernels of the distribution, and the RAM disk for them.
$(BUILD)/guests/vmlinuz-%: tools/fetch-kernel.sh
	@tools/fetch-kernel.sh $* $@

$(BUILD)/guests/initrd: tools/make-initramfs.sh
	@tools/make-initramfs.sh $@

# Programs of others, as their packages have them (tools/fetch-file.sh), and what has to be made of two of them.
GUEST_PROGRAMS := $(addprefix $(BUILD)/guests/,vmlinuz-6.1 vmlinuz-6.12 vmlinuz-6.1-rt vmlinux-6.1 memtest ipxe.lkrn \
                    grub.elf bios.bin bios-256k.bin linuxboot.bin)

$(BUILD)/guests/vmlinux-%: $(BUILD)/guests/vmlinuz-% tools/extract-vmlinux.sh
	@tools/extract-vmlinux.sh $< $@
$(BUILD)/guests/memtest: tools/fetch-file.sh
	@tools/fetch-file.sh bookworm memtest86+ boot/memtest86+x64.bin $@
$(BUILD)/guests/ipxe.lkrn: tools/fetch-file.sh
	@tools/fetch-file.sh bookworm ipxe boot/ipxe.lkrn $@
$(BUILD)/guests/grub-coreboot.tar: tools/fetch-file.sh
	@tools/fetch-file.sh bookworm grub-coreboot-bin usr/lib/grub/i386-coreboot $@
$(BUILD)/guests/grub.elf: $(BUILD)/guests/grub-coreboot.tar tools/make-grub-guest.sh
	@tools/make-grub-guest.sh $< $@
$(BUILD)/guests/bios.bin $(BUILD)/guests/bios-256k.bin: tools/fetch-file.sh
	@tools/fetch-file.sh bookworm seabios usr/share/seabios/$(@F) $@
$(BUILD)/guests/linuxboot.bin: tools/fetch-file.sh
	@tools/fetch-file.sh bookworm qemu-system-data usr/share/qemu/$(@F) $@

$(BUILD)/guests/initrd-watchdog: $(BUILD)/guests/initrd $(BUILD)/guests/vmlinuz-6.1 tools/make-watchdog-initrd.sh
	@tools/make-watchdog-initrd.sh $< $@

## make guests      the small guests
.PHONY: guests
guests: $(GUEST_ELFS)

-include $(GUEST_COMMON_O:.o=.d) $(patsubst guests/%.c,$(BUILD)/guests/%.d,$(wildcard $(GUESTS:%=guests/%/*.c)))
