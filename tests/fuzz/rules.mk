# Fuzzing: one libFuzzer program for each tests/fuzz/fuzz_NAME.c, with every sanitizer. See tests/fuzz/README.md.

# libFuzzer comes with Clang.
FUZZ_CC     := clang
FUZZ_CFLAGS := $(COMMON) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -MMD -MP
FUZZ_NAMES  := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN    := $(FUZZ_NAMES:%=$(BUILD)/fuzz/bin/%)
FUZZ_LIB    := $(BUILD)/fuzz/libpure.a
FUZZ_O      := $(PURE_C:%.c=$(BUILD)/fuzz/%.o) $(UNIT_FAKES:%.c=$(BUILD)/fuzz/%.o)
# Seconds for each target, how long the short run is (inputs or seconds for each), and how many run at a time.
SECONDS     ?= 60
FUZZ_SHORT  ?= 20000x
FUZZ_JOBS   ?= $(shell nproc)

$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $< (fuzz)"; $(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(FUZZ_LIB): $(FUZZ_O)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(BUILD)/fuzz/bin/%: $(BUILD)/fuzz/tests/fuzz/fuzz_%.o $(FUZZ_LIB)
	@mkdir -p $(@D)
	$(Q)echo "  LD   $@"; $(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_LIB) $(FUZZ_LDLIBS)

# The decoders are held against somebody else's.
$(BUILD)/fuzz/bin/decode $(BUILD)/fuzz/bin/svm_length: FUZZ_LDLIBS += -lZydis

# Binary seeds are written by a program: their structure is in C, and no binary lies in the repository. What earlier runs
# have found is there as text.
FUZZ_FOUND := $(wildcard tests/fuzz/corpus/*.hex)
$(BUILD)/fuzz/make-seeds: $(BUILD)/launch/tests/fuzz/make_seeds.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -o $@ $<
$(BUILD)/fuzz/seeds/.made: $(BUILD)/fuzz/make-seeds $(FUZZ_FOUND)
	$(Q)rm -rf $(@D) && mkdir -p $(@D) && $< $(@D) $(FUZZ_FOUND) && touch $@

## make fuzz        every fuzz target for SECONDS=60
## make fuzz-short  every fuzz target with the same FUZZ_SHORT=20000x inputs each time, or for FUZZ_SHORT=60s with the
##                  same ones in the same order; a part of `make test`
.PHONY: fuzz fuzz-build fuzz-short
fuzz-build: $(FUZZ_BIN) $(BUILD)/fuzz/seeds/.made
fuzz: deps-test
	@$(MAKE) --no-print-directory fuzz-build
	@FUZZ_JOBS=$(FUZZ_JOBS) tests/fuzz/run.sh learn $(BUILD)/fuzz $(SECONDS)s $(FUZZ_NAMES)
fuzz-short: deps-test
	@$(MAKE) --no-print-directory fuzz-build
	@FUZZ_JOBS=$(FUZZ_JOBS) tests/fuzz/run.sh repeat $(BUILD)/fuzz $(FUZZ_SHORT) $(FUZZ_NAMES)

## make fuzz-keep   takes what the last runs have found, as few inputs as reach the same code, into tests/fuzz/corpus
.PHONY: fuzz-keep
fuzz-keep: deps-test
	@$(MAKE) --no-print-directory fuzz-build
	@FUZZ_JOBS=$(FUZZ_JOBS) tests/fuzz/keep.sh $(BUILD)/fuzz $(FUZZ_NAMES)

-include $(FUZZ_O:.o=.d) $(FUZZ_NAMES:%=$(BUILD)/fuzz/tests/fuzz/fuzz_%.d) $(BUILD)/launch/tests/fuzz/make_seeds.d
