# Coverage of core/ and drivers/virt/ by the unit tests and the fuzz corpus. Its objects are its own: the counters are
# in them, the sanitizers are not.

COVER        := $(BUILD)/coverage
COVER_CFLAGS := $(COMMON) -O0 -g -fno-omit-frame-pointer -MMD -MP
COVER_C      := $(filter core/% drivers/virt/%, $(PURE_C))
COVER_O      := $(COVER_C:%.c=$(COVER)/counted/%.o)
COVER_LIB    := $(COVER)/libpure.a
COVER_REST_O := $(COVER)/plain/font.o $(patsubst %.c,$(COVER)/plain/%.o,$(filter-out $(COVER_C),$(PURE_C)) $(UNIT_FAKES))
COVER_UNIT   := $(UNIT_TESTS:%=$(COVER)/unit/%)
COVER_FUZZ   := $(FUZZ_NAMES:%=$(COVER)/fuzz/%)
# Percent of lines and of branches below which the target fails.
COVER_LINES    ?= 90
COVER_BRANCHES ?= 85

# Inline functions count where they are used: in the tests too. Two threads count together in one test: the counters
# must not lose steps.
$(COVER)/counted/%.o: %.c
	@mkdir -p $(@D)
	$(Q)echo "  CC   $< (coverage)"; $(CC) $(COVER_CFLAGS) --coverage -fprofile-update=atomic -c -o $@ $<

$(COVER)/plain/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(COVER_CFLAGS) -c -o $@ $<

$(COVER)/plain/font.o: $(BUILD)/font.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(COVER_CFLAGS) -c -o $@ $<

$(COVER_LIB): $(COVER_O) $(COVER_REST_O)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(COVER)/unit/%: $(COVER)/counted/tests/unit/%.o $(COVER_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) --coverage -o $@ $< $(COVER_LIB) -lcmocka $(COVER_LDLIBS)
$(COVER)/fuzz/%: $(COVER)/counted/tests/fuzz/fuzz_%.o $(COVER)/plain/tests/coverage/replay.o $(COVER_LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) --coverage -o $@ $< $(COVER)/plain/tests/coverage/replay.o $(COVER_LIB) $(COVER_LDLIBS)
$(COVER)/unit/test_decode $(COVER)/fuzz/decode $(COVER)/fuzz/svm_length: COVER_LDLIBS += -lZydis

## make coverage    lines and branches of core/ and drivers/virt/ that the unit tests and the fuzz corpus reach
.PHONY: coverage deps-coverage
deps-coverage:
	@tools/deps.sh coverage
coverage: deps-coverage
	@$(MAKE) --no-print-directory $(COVER_UNIT) $(COVER_FUZZ) $(BUILD)/fuzz/seeds/.made
	@COVER_LINES=$(COVER_LINES) COVER_BRANCHES=$(COVER_BRANCHES) tests/coverage/run.sh $(COVER) $(BUILD)/fuzz/seeds

-include $(COVER_O:.o=.d) $(COVER_REST_O:.o=.d) $(UNIT_TESTS:%=$(COVER)/counted/tests/unit/%.d) \
         $(FUZZ_NAMES:%=$(COVER)/counted/tests/fuzz/fuzz_%.d)
