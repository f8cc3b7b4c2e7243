# SPDX-License-Identifier: MIT
#
# make              the module for the running kernel (KDIR= for another) and the programs
# make programs     the programs alone
# make modules      the module for the kernels in build/kernels (KERNELS="6.1 6.12 uml debug")
# make unit         unit tests, under address and undefined-behaviour sanitizers
# make check-kunit  the driver's own, in a user-mode kernel with all checkers
# make check-headers	the driver compiles for every kernel that Debian's suites have
# make check-coverage	which lines of the driver tests run, 90 % at least; see tests/uncovered
# make check-stress SECONDS=600 KERNEL=6.12	the driver under stress, for that long; then
# make check-fuzz SECONDS=600 KERNEL=6.12	programs that mean harm, for as long
# make check-cache SECONDS=600	the cache's map against a model, for that long
# make check-cache-stale SECONDS=600 KERNEL=uml	a drive with a cache under load, its helpers killed
# make check-cache-disk KERNEL=6.12	the disk that the cache is on, and all that can be wrong with it
# make check-throttle SECONDS=600 KERNEL=6.12	a drive at a service's limit, measured
# make check-ranges KERNEL=6.12	a blob of 500,000 page ranges, measured
# make check-memory SECONDS=600 KERNEL=6.12	a helper that serves takes no memory, for that long
# make check-swap KERNEL=6.12	swap on a drive, twenty times
# make deb          Debian packages, into build/deb; check-deb installs them in a bare Debian
# make test|demo|bench|lint|format|install|clean
#
# One short line a file; V=1 prints the commands, -s nothing. WERROR=-Werror, which lint
# and tests say, makes warnings errors. What takes more than compilers and libraries has
# scripts/setup bring it.

VERSION := 0.2.0
BUILD   ?= build
PREFIX  ?= /usr/local
SRCDIR  ?= /usr/src
OCFDIR  ?= /usr/lib/ocf
UDEVDIR ?= /usr/lib/udev
UNITDIR ?= /usr/lib/systemd/system
KDIR    ?= /lib/modules/$(shell uname -r)/build
KERNELS ?= 6.1 6.12

LIBS := libcurl libcares libcrypto libnl-3.0 libnl-genl-3.0 libkmod jansson expat mount blkid uuid libmicrohttpd libseccomp libcap-ng

CFLAGS   ?= -O2 -g -Wall -Wextra
HARDEN   ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
SANITIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
override CPPFLAGS += -D_GNU_SOURCE -DCD_VERSION='"$(VERSION)"' -Ihelper -Iuapi
libs_cflags := $(shell pkg-config --cflags $(LIBS) 2>/dev/null)
override CFLAGS   += $(WERROR) -std=gnu11 -MMD -MP $(libs_cflags)
LDLIBS := $(shell pkg-config --libs $(LIBS) 2>/dev/null) -lm

# $(call tell,CC,FILE): the short line of a command, which begins with $(Q).
ifneq ($(V),1)
Q := @
tell = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-7s %s\n' $(1) $(2))
endif

lib_src   := $(wildcard helper/lib/*.c helper/azure/*.c helper/vhd/*.c helper/image/*.c helper/cache/*.c)
ctl_src   := $(wildcard helper/ctl/*.c helper/host/*.c helper/command/*.c)
agent_src := $(wildcard helper/agent/*.c)
drive_src := $(wildcard helper/drive/*.c)
store_src := $(wildcard helper/devstore/*.c helper/devstore/*/*.c)
bench_src := $(wildcard tests/bench/*.c)
# All of clouddrived but its main(), for programs that bring their own.
serve_src := $(filter-out helper/drive/main.c,$(drive_src))
unit_src  := $(wildcard tests/unit/test_*.c)
# late, and late without this or that; what of it a unit test uses, too.
late_src  := $(filter-out tests/late/without_%,$(wildcard tests/late/*.c))
late_lib  := tests/late/machine.c tests/late/schedule.c
stress_src := $(wildcard tests/stress/*.c)
# What unit tests share.
unit_lib  := $(filter-out $(unit_src),$(wildcard tests/unit/*.c)) $(late_lib)
module_src := Kbuild $(wildcard driver/*.[ch] driver/*/*.[ch] uapi/linux/*.h)

obj  = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
asan = $(patsubst %.c,$(BUILD)/asan/%.o,$(1))

programs := $(if $(ctl_src),$(BUILD)/clouddrivectl) \
	    $(if $(filter %/main.c,$(drive_src)),$(BUILD)/clouddrived) \
	    $(if $(bench_src),$(BUILD)/cdrive-bench-mem)
units    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(unit_src))
lates    := $(addprefix $(BUILD)/late/,late without_conditions without_overlap without_compare)

all: module programs
programs: $(programs)

# --- programs ---------------------------------------------------------------

link = $(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) -pie -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/clouddrivectl: $(call obj,$(ctl_src) $(agent_src) $(store_src)) $(BUILD)/obj/libcd.a
	$(call tell,LD,$@)
	$(link)

$(BUILD)/clouddrived: $(call obj,$(drive_src)) $(BUILD)/obj/libcd.a
	$(call tell,LD,$@)
	$(link)

$(BUILD)/cdrive-bench-mem: $(call obj,$(bench_src) $(serve_src)) $(BUILD)/obj/libcd.a
	$(call tell,LD,$@)
	$(link)

# A helper without second reads beside its own clouddrivectl, which looks for it there.
$(BUILD)/without_hedge/clouddrived: LDFLAGS += -Wl,--wrap=hedge_after
$(BUILD)/without_hedge/clouddrived: $(call obj,tests/bench/hedge/without.c $(drive_src)) $(BUILD)/obj/libcd.a \
		| $(BUILD)/without_hedge/clouddrivectl
	$(call tell,LD,$@)
	$(link)

$(BUILD)/without_hedge/clouddrivectl: $(BUILD)/clouddrivectl
	$(Q)mkdir -p $(@D) && cp $< $@

# What is missing is said in one line, by the names of Debian's packages.
libraries:
	@{ pkg-config --exists $(LIBS) && command -v $(firstword $(CC)); } >/dev/null 2>&1 || \
		scripts/setup --missing build

$(BUILD)/obj/%.o: %.c | libraries
	@mkdir -p $(@D)
	$(call tell,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(HARDEN) -c -o $@ $<

# Objects are secondary: a new one in the list alone makes no archive anew.
$(BUILD)/obj/libcd.a $(BUILD)/obj/libserve.a $(BUILD)/asan/libcd.a: Makefile
$(BUILD)/obj/libcd.a: $(call obj,$(lib_src))
$(BUILD)/obj/libserve.a: $(call obj,$(serve_src))
$(BUILD)/asan/libcd.a: $(call asan,$(lib_src) $(serve_src) $(agent_src) $(store_src) $(unit_lib))
%.a:
	@mkdir -p $(@D)
	$(call tell,AR,$@)
	$(Q)rm -f $@ && $(AR) qcs $@ $(filter %.o,$^)

# --- unit tests ---------------------------------------------------------------

$(BUILD)/asan/%.o: %.c | libraries
	@mkdir -p $(@D)
	$(call tell,ASAN,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -c -o $@ $<

# Fixtures in headers: no test uses all of one.
$(BUILD)/asan/tests/unit/%.o: override CFLAGS += -Wno-unused-function

$(BUILD)/unit/%: $(BUILD)/asan/tests/unit/%.o $(BUILD)/asan/libcd.a
	@mkdir -p $(@D)
	$(call tell,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ $(LDLIBS) -lcmocka

unit-programs: $(units) $(lates)
unit:
	@scripts/setup unit
	@$(MAKE) --no-print-directory unit-programs WERROR=-Werror
	$(Q)CMOCKA_MESSAGE_OUTPUT=TAP prove -e '' $(units)

# --- writes that arrive late ------------------------------------------------------

# The helper's parts with the real client, but with a driver, a clock and chance of
# tests/late; without_* lack what their --wrap replaces.
wrap := -Wl,--wrap=clock_gettime,--wrap=epoll_pwait2,--wrap=getrandom
$(BUILD)/late/without_conditions: wrap += -Wl,--wrap=az_put_page,--wrap=az_clear_pages
$(BUILD)/late/without_overlap: wrap += -Wl,--wrap=doubts_overlap
$(BUILD)/late/without_compare: wrap += -Wl,--wrap=az_put_page
$(BUILD)/late/without_%: LDFLAGS += $(wrap)
$(BUILD)/late/late $(BUILD)/late/sanitized: LDFLAGS += $(wrap)

$(BUILD)/late/late: $(call obj,$(late_src)) $(BUILD)/obj/libserve.a $(BUILD)/obj/libcd.a
	$(call tell,LD,$@)
	$(link)

$(BUILD)/late/without_%: $(BUILD)/obj/tests/late/without_%.o $(call obj,$(late_src)) \
		$(BUILD)/obj/libserve.a $(BUILD)/obj/libcd.a
	$(call tell,LD,$@)
	$(link)

$(BUILD)/late/sanitized: $(call asan,$(late_src)) $(BUILD)/asan/libcd.a
	@mkdir -p $(@D)
	$(call tell,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# --- the cache's map ----------------------------------------------------------------

# The driver's own code, compiled for user space; see tests/cache/model.h.
map := chunks entry generation kept pin policy pool resize runs volume
map_src := $(map:%=driver/cache/%.c)
map_headers := $(wildcard driver/cache/*.h uapi/linux/*.h tests/cache/*.h tests/cache/include/*.h tests/cache/include/*/*.h)
model_src := $(filter-out tests/cache/replay%,$(wildcard tests/cache/*.c))
map_cc = $(Q)mkdir -p $(@D) && $(CC) $(WERROR) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra \
	 -Itests/cache/include -Idriver/cache -Iuapi

$(BUILD)/cache/obj/%.o: %.c $(map_headers)
	$(call tell,CC,$<)
	$(map_cc) -O2 -g -c -o $@ $<

map_obj = $(1:%.c=$(BUILD)/cache/obj/%.o)
$(BUILD)/cache/model: $(call map_obj,$(model_src) $(map_src))
	$(call tell,LD,$@)
	$(Q)$(CC) -o $@ $^

$(BUILD)/cache/sanitized: $(model_src) $(map_src) $(map_headers)
	$(call tell,ASAN,$@)
	$(map_cc) $(SANITIZE) -o $@ $(filter %.c,$^)

$(BUILD)/cache/replay: $(call map_obj,tests/cache/replay.c $(map_src))
	$(call tell,LD,$@)
	$(Q)$(CC) -o $@ $^ -lm

check-cache: $(BUILD)/cache/sanitized $(BUILD)/cache/model
	$(BUILD)/cache/sanitized --seconds $$(($(SECONDS) / 2)) --seed $$(date +%s)
	$(BUILD)/cache/model --seconds $$(($(SECONDS) / 2)) --seed $$(date +%s)

# --- virtual machines -----------------------------------------------------------------

# In an initramfs there is nothing to be linked with. Whole at once: others may be
# looking for it.
$(BUILD)/vm/init: scripts/vm-guest.c | libraries
	@mkdir -p $(@D)
	$(call tell,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -static -MF $@.d -o $@.new $<
	$(Q)mv $@.new $@

# --- the driver under stress --------------------------------------------------------

$(BUILD)/stress/stress: $(call obj,$(stress_src)) $(BUILD)/obj/libcd.a
	$(call tell,LD,$@)
	$(link)

SECONDS ?= 600
KERNEL  ?= 6.12
check-stress:
	@KERNELS=$(KERNEL) scripts/setup stress
	tests/stress/run $(SECONDS) $(KERNEL)
	@$(MAKE) --no-print-directory check-fuzz

check-fuzz:
	@KERNELS=$(KERNEL) scripts/setup stress
	@$(MAKE) --no-print-directory programs
	TEST_FUZZ_SECONDS=$(SECONDS) TEST_KERNELS=$(KERNEL) prove --timer tests/vm/hostile.t

check-throttle:
	@KERNELS=$(KERNEL) scripts/setup test
	@$(MAKE) --no-print-directory programs
	@$(MAKE) --no-print-directory modules KERNELS=$(KERNEL)
	THROTTLE_SECONDS=$(SECONDS) THROTTLE_STRICT=y TEST_KERNELS=$(KERNEL) prove -v tests/vm/throttle.t

check-ranges:
	@KERNELS=$(KERNEL) scripts/setup test
	@$(MAKE) --no-print-directory programs
	TEST_RANGES=500000 RANGES_STRICT=y TEST_KERNELS=$(KERNEL) prove -v tests/vm/ranges.t

check-memory:
	@KERNELS=$(KERNEL) scripts/setup test
	@$(MAKE) --no-print-directory programs
	TEST_MEMORY_SECONDS=$(SECONDS) TEST_KERNELS=$(KERNEL) prove --timer tests/vm/heap.t

check-cache-stale: private KERNEL = uml
check-cache-stale:
	@KERNELS=$(KERNEL) scripts/setup stress
	@$(MAKE) --no-print-directory programs
	STALE_SECONDS=$(SECONDS) STALE_KILLS=100 TEST_KERNELS=$(KERNEL) prove --timer tests/vm/cache-stale.t

check-cache-disk:
	@KERNELS=$(KERNEL) scripts/setup test
	@$(MAKE) --no-print-directory programs
	CACHE_PARTS= TEST_KERNELS=$(KERNEL) prove --timer tests/vm/cache-disk.t

check-swap:
	@KERNELS=$(KERNEL) scripts/setup test
	@$(MAKE) --no-print-directory programs
	TEST_SWAP_RUNS=20 TEST_KERNELS=$(KERNEL) prove --timer tests/vm/swap.t

check-coverage:
	@scripts/setup test
	scripts/coverage --floor 90 scripts/test tests/kunit/ deadline.t hostile.t manners.t stress.t \
		>$(BUILD)/coverage.txt || { cat $(BUILD)/coverage.txt; false; }
	cat $(BUILD)/coverage.txt
	tests/uncovered.sh <$(BUILD)/coverage.txt

check-kunit:
	scripts/test tests/kunit/

check-headers:
	scripts/lint headers

# --- the module -----------------------------------------------------------------

# The kernel's build system writes beside the sources, so it gets a copy of the
# tree made of symbolic links. KFLAGS go to it (W=1, C=2 …). It has short lines of its own.
kbuild = $(Q)mkdir -p $(@D)/tests && cp -rsf $(addprefix $(CURDIR)/,Kbuild driver uapi) $(@D) && \
	 cp -rsf $(CURDIR)/tests/kunit $(@D)/tests && \
	 $(MAKE) --no-print-directory -C $(1) M=$(abspath $(@D)) $(KFLAGS) $(2)

module:
ifneq ($(wildcard $(KDIR)/Makefile),)
module: $(BUILD)/module/local/cdrive.ko
else
	@echo "no kernel headers in $(KDIR): building the programs only (sudo apt install linux-headers-$$(uname -r), or KDIR= for other headers)" >&2
endif

$(BUILD)/module/local/cdrive.ko: $(module_src)
	$(call kbuild,$(KDIR),modules)

# For one of build/kernels; one of another architecture (um) says so. Debian's headers name
# the compiler of the release that they are of.
KCC ?= gcc
kernel_kdir = build/kernels/$*/kdir CC=$(KCC) CONFIG_DEBUG_INFO_BTF_MODULES= \
	      $(patsubst %,ARCH=%,$(shell cat build/kernels/$*/arch 2>/dev/null))

$(BUILD)/module/%/cdrive.ko: $(module_src) build/kernels/%/ready
	$(call kbuild,$(kernel_kdir),modules)

# Only compiled, where there are headers and nothing else: see scripts/lint.
$(BUILD)/object/%/cdrive.o: $(module_src) build/kernels/%/kdir
	$(call kbuild,$(kernel_kdir) objtool=true,cdrive.o)

# One that counts what is run of it; see scripts/coverage.
$(BUILD)/gcov/%/cdrive.ko: $(module_src) build/kernels/%/ready
	$(call kbuild,$(kernel_kdir) CDRIVE_GCOV=y,modules)

# With its own tests, and counting; see tests/kunit/kunit.t.
$(BUILD)/kunit/%/cdrive.ko: $(module_src) $(wildcard tests/kunit/*.[ch]) build/kernels/%/ready
	$(call kbuild,$(kernel_kdir) CDRIVE_KUNIT=y CDRIVE_GCOV=y,modules)

# Where modprobe finds it in a guest; see scripts/vm.
build/kernels/%/modules/updates/cdrive.ko: $(BUILD)/module/%/cdrive.ko
	@mkdir -p $(@D)
	$(call tell,COPY,$@)
	$(Q)cp --remove-destination $< $@
	$(Q)/sbin/depmod -b build/kernels/$* $$(cat build/kernels/$*/ready)

modules: $(KERNELS:%=build/kernels/%/modules/updates/cdrive.ko)

build/kernels/%/ready:
	@KERNELS=$* scripts/setup modules

# --- everything else ----------------------------------------------------------------

test demo lint:
	scripts/$@

format:
	@scripts/setup format
	$(Q)clang-format -i $(filter-out tests/kunit/%,$(wildcard helper/*/*.[ch] helper/*/*/*.[ch] tests/*/*.[ch]))

bench:
	@scripts/setup bench
	@$(MAKE) --no-print-directory programs $(BUILD)/cache/replay $(BUILD)/without_hedge/clouddrived
	tests/bench/run

# Needs no root. VERSION= for another than this one.
deb:
	@scripts/setup deb
	@scripts/deb $(VERSION)

check-deb:
	scripts/bare scripts/check-deb

# $(call put,FILES,DIRECTORY[,MODE]): install them there, with a line for each.
define put
$(foreach file,$(1),$(call tell,INSTALL,$(2)/$(notdir $(file)))
	$(Q)install -D $(if $(3),-m $(3)) -t $(DESTDIR)$(2) $(file)
	)
endef
define put_unit
$(call tell,INSTALL,$(UNITDIR)/$(1))
	$(Q)mkdir -p $(DESTDIR)$(UNITDIR)
	$(Q)sed 's|/usr/sbin/|$(PREFIX)/sbin/|' scripts/systemd/$(1) >$(DESTDIR)$(UNITDIR)/$(1)

endef
share  := $(PREFIX)/share
source := $(SRCDIR)/clouddrive-$(VERSION)

install: programs
	$(call put,$(BUILD)/clouddrivectl $(BUILD)/clouddrived,$(PREFIX)/sbin)
	$(call put,$(wildcard uapi/linux/*.h),$(PREFIX)/include/linux,644)
	$(foreach n,7 8,$(call put,$(wildcard Documentation/man/*.$(n)),$(share)/man/man$(n),644))
	$(call put,$(wildcard scripts/completion/*),$(share)/bash-completion/completions,644)
	$(call put,$(wildcard scripts/udev/*.rules),$(UDEVDIR)/rules.d,644)
	$(foreach unit,$(notdir $(wildcard scripts/systemd/*)),$(call put_unit,$(unit)))
	$(call put,scripts/ocf/clouddrive/drive,$(OCFDIR)/resource.d/clouddrive)
	$(Q)sed -i 's|^default_binary=.*|default_binary=$(PREFIX)/sbin/clouddrivectl|' \
		$(DESTDIR)$(OCFDIR)/resource.d/clouddrive/drive
	$(foreach file,$(module_src),$(call put,$(file),$(patsubst %/.,%,$(source)/$(patsubst %/,%,$(dir $(file)))),644))
	$(call tell,INSTALL,$(source)/dkms.conf)
	$(Q)sed 's/#MODULE_VERSION#/$(VERSION)/' scripts/dkms.conf >$(DESTDIR)$(source)/dkms.conf

# Kernels and npm packages stay; `rm -r build` is the thorough way.
clean:
	$(call tell,CLEAN,$(BUILD))
	$(Q)rm -rf $(filter-out build/kernels build/apt,$(wildcard $(BUILD)/*))

.PHONY: all libraries programs check-headers check-kunit check-cache check-stress check-fuzz check-throttle check-ranges check-memory check-cache-stale check-cache-disk check-swap check-coverage unit unit-programs module modules test demo lint format bench deb check-deb install clean
.SECONDARY:

-include $(shell find $(BUILD)/obj $(BUILD)/asan -name '*.d' 2>/dev/null)
