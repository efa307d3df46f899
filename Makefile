# SPDX-License-Identifier: Apache-2.0
# make [all|check|soak|install|uninstall|account|completions|bench|bench-full|fuzz|fuzz-run|clean]
#      [SAN=1] [PREFIX=/usr/local] [DESTDIR=] [STRIP=strip] [V=1]
# all          commands and modules, in build/ (build-san/ with SAN=1)
# check        the tests with what is built; `sh test/run.sh` builds and runs everything
# soak         an update of a device killed and failed at every call, with podman too: most of an hour
# account      the system accounts of the agent's network half and the server, as install does
# completions  share/completions anew, from what the commands print
# bench        measures what is promised, of the store with 100000 devices; at most 5 minutes
# bench-full   the store with 10000, 100000 and a million, kept in BENCH_DATA (build/bench-data)
# fuzz         the harnesses of test/fuzz by clang, in build-fuzz/; `build-fuzz/NAME DIR` fuzzes
# fuzz-run     each once over its corpus (one alone: fuzz-run-NAME)

PREFIX ?= /usr/local
bindir = $(PREFIX)/bin
libdir = $(PREFIX)/lib
datadir = $(PREFIX)/share
mandir = $(datadir)/man
unitdir = $(PREFIX)/lib/systemd/system
# Where fc-agent and greenboot look, below /usr alone, unless all is put elsewhere.
syslibdir = $(if $(filter /usr /usr/local,$(PREFIX)),/usr,$(PREFIX))/lib
VERSION := 0.1.0

CC ?= gcc
AR ?= ar
PKG_CONFIG ?= pkg-config
BUILD ?= $(if $(SAN),build-san,build)
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),:,>&2 printf '  %-5s %s\n')

WARN := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
	-Wswitch-enum -Wwrite-strings -Wundef $(if $(findstring clang,$(CC)),,-Wno-format-truncation) -Werror
CFLAGS ?= -O2 -g
CSTD := -std=gnu11 -D_GNU_SOURCE -Ilib -I$(BUILD)/gen
HARDEN := -fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2)
ALL_CFLAGS = $(CFLAGS) $(CSTD) $(WARN) $(HARDEN) -fPIC -ffunction-sections -fdata-sections \
	-fno-common -MMD -MP $(SANFLAGS)
ALL_LDFLAGS = $(LDFLAGS) -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro -Wl,-z,noexecstack $(SANFLAGS)
comma := ,
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

pkg = $(shell $(PKG_CONFIG) --libs $(1))
LIBS_BASE := $(call pkg,sqlite3 libmd) -ljq -lonig -lm
LIBS_crypto := $(call pkg,libcrypto)
LIBS_event := $(call pkg,libevent libevent_openssl openssl)
LIBS_yaml := $(call pkg,yaml-0.1)
LIBS_curl := $(call pkg,libcurl)
LIBS_pq := $(call pkg,libpq)
LIBS_cjose := -lcjose

# What a command links beside the base libraries; a hot command (fc-api, fc-select) links nothing
# more and loads modules when it needs them.
LIBS_fc-sign := $(LIBS_crypto)
LIBS_fc-enroll := $(LIBS_crypto)
LIBS_fc-work := $(LIBS_crypto)
LIBS_fc-agent :=

# Modules: shared objects that pull in a large library, from the file lib/*/NAME_module.c.
MODULES := $(patsubst %_module,%,$(basename $(notdir $(wildcard lib/*/*_module.c))))
LIBS_module_yaml := $(LIBS_yaml)
LIBS_module_crypto := $(LIBS_crypto)
LIBS_module_serve := $(LIBS_event)
LIBS_module_curl := $(LIBS_curl)
LIBS_module_jose := $(LIBS_cjose) $(LIBS_crypto)
LIBS_module_identity := $(LIBS_crypto)
LIBS_module_postgres := $(LIBS_pq)

LIB_SRC := $(filter-out %_module.c %_gen.c,$(wildcard lib/*/*.c))
AGENT_SRC := $(wildcard agent/*.c)
CMD_SRC := $(wildcard cmd/fc-*.c)
SQL := $(wildcard lib/store/*.sql)
SCHEMAS := $(wildcard share/schema/*.json)

LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(if $(SQL),$(BUILD)/gen/sql.o) $(if $(SCHEMAS),$(BUILD)/gen/schema.o) \
	$(BUILD)/gen/calls.o
COMMANDS := $(notdir $(basename $(CMD_SRC))) $(if $(AGENT_SRC),fc-agent)
PROGRAMS := $(COMMANDS:%=$(BUILD)/bin/%)
MODULE_FILES := $(MODULES:%=$(BUILD)/bin/modules/fc_%.so)
LIBFC := $(BUILD)/libfc.a

.PHONY: FORCE all check soak install uninstall account clean bench bench-full fuzz fuzz-run completions
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) $(MODULE_FILES)

$(LIBFC): $(LIB_OBJ)
	@$(say) AR $@
	$(Q)rm -f $@; $(AR) rcs $@ $^

$(BUILD)/bin/fc-agent: $(AGENT_SRC:%.c=$(BUILD)/%.o) $(LIBFC)
	@mkdir -p $(@D); $(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $(filter %.o,$^) $(LIBFC) $(LIBS_fc-agent) $(call pkg,libmd) -ljq -lonig -lm

$(BUILD)/bin/fc-%: $(BUILD)/cmd/fc-%.o $(LIBFC)
	@mkdir -p $(@D); $(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $< $(LIBFC) $(LIBS_fc-$*) $(LIBS_BASE)

.SECONDEXPANSION:
$(BUILD)/bin/modules/fc_%.so: $$(addsuffix .o,$$(addprefix $(BUILD)/,$$(basename $$(wildcard lib/*/$$*_module.c)))) $(LIBFC)
	@mkdir -p $(@D); $(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-Bsymbolic -o $@ $< $(LIBFC) $(LIBS_module_$*) $(LIBS_BASE)

# Another PREFIX is another place of the modules.
$(BUILD)/gen/libdir: FORCE
	@mkdir -p $(@D); echo '$(libdir)' | cmp -s - $@ || echo '$(libdir)' >$@
$(BUILD)/lib/base/mod.o: $(BUILD)/gen/libdir
$(BUILD)/lib/base/mod.o: ALL_CFLAGS += -DFC_MODULE_DIR='"$(libdir)/fc"'
$(BUILD)/lib/base/opt.o $(BUILD)/lib/api/health.o: ALL_CFLAGS += -DFC_VERSION='"$(VERSION)"'
$(BUILD)/agent/%.o: ALL_CFLAGS += -DFC_VERSION='"$(VERSION)"' -Iagent

$(BUILD)/lib/db/postgre%.o build-fuzz/lib/db/postgre%.o $(BUILD)/test/bench/query.o: CFLAGS += $(shell $(PKG_CONFIG) --cflags libpq)

$(BUILD)/%.o: %.c $(if $(SQL),$(BUILD)/gen/sql.h)
	@mkdir -p $(@D); $(say) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Named statements ("-- :name NAME" lines) become an enum and a table.
$(BUILD)/gen/sql.h $(BUILD)/gen/sql.c &: $(SQL) lib/store/sql.awk
	@mkdir -p $(@D); $(say) GEN $(BUILD)/gen/sql.c
	$(Q)awk -v out=$(BUILD)/gen -f lib/store/sql.awk $(SQL)

$(BUILD)/gen/schema.c: $(SCHEMAS) lib/fleet/schema.awk
	@mkdir -p $(@D); $(say) GEN $@
	$(Q)awk -f lib/fleet/schema.awk $(SCHEMAS) >$@

# The filter of system calls is made once, here, not by each process: libseccomp is slow.
$(BUILD)/gen/calls: lib/base/calls_gen.c
	@mkdir -p $(@D); $(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(CSTD) $(WARN) $(SANFLAGS) -o $@ $< $(call pkg,libseccomp)
$(BUILD)/gen/calls.c: $(BUILD)/gen/calls
	@$(say) GEN $@
	$(Q)$< >$@

check: all
	sh test/run.sh -b $(BUILD)

# As root, as the tests: podman of its own, and at FC_KILLS random points beside all calls.
FC_KILLS ?= 40
soak: all
	$(Q)sh test/deps.sh run test >&2
	$(Q)[ "$$(id -u)" != 0 ] || $(MAKE) -s account >&2
	FC_SOAK=1 FC_KILLS=$(FC_KILLS) FC_BUILD=$(BUILD) bats -T test/bats/agent-crash.bats test/bats/agent-podman.bats

# --- what is installed --------------------------------------------------------------------------

COMPLETIONS ?= share/completions
MANUALS := $(wildcard man/*.[1-8])
UNITS := $(wildcard share/systemd/*)
GREENBOOT := $(wildcard share/greenboot/*/*.sh share/greenboot/*/*/*.sh)
HOOKS := $(wildcard share/hooks.d/*/*.yaml)
bashdir = $(datadir)/bash-completion/completions
zshdir = $(datadir)/zsh/site-functions
fishdir = $(datadir)/fish/vendor_completions.d
docdir = $(datadir)/doc/fc
ACCOUNTS := _fc-agent _fc

completions: $(PROGRAMS)
	@mkdir -p $(COMPLETIONS)/bash $(COMPLETIONS)/zsh $(COMPLETIONS)/fish
	$(Q)set -e; for c in $(COMMANDS); do \
		$(BUILD)/bin/$$c --completion bash >$(COMPLETIONS)/bash/$$c; \
		$(BUILD)/bin/$$c --completion zsh >$(COMPLETIONS)/zsh/_$$c; \
		$(BUILD)/bin/$$c --completion fish >$(COMPLETIONS)/fish/$$c.fish; \
	done

# What is installed has no symbols for a debugger: devices are small. STRIP=: keeps them.
STRIP ?= strip
# FILE:MODE:TARGET. Units name the commands by @bindir@.
INSTALLED = \
	$(foreach c,$(COMMANDS),$(BUILD)/bin/$(c):755:$(bindir)/$(c) \
		share/completions/bash/$(c):644:$(bashdir)/$(c) \
		share/completions/zsh/_$(c):644:$(zshdir)/_$(c) \
		share/completions/fish/$(c).fish:644:$(fishdir)/$(c).fish) \
	$(foreach m,$(MODULE_FILES),$(m):644:$(libdir)/fc/$(notdir $(m))) \
	$(foreach m,$(MANUALS),$(m):644:$(mandir)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
	$(foreach f,$(SCHEMAS),$(f):644:$(datadir)/fc/schema/$(notdir $(f))) \
	$(foreach f,$(filter-out examples/quickstart.sh examples/%.key,$(wildcard examples/*)),$(f):644:$(docdir)/examples/$(notdir $(f))) \
	$(foreach f,$(UNITS),$(f):644:$(unitdir)/$(notdir $(f))) \
	$(foreach f,$(GREENBOOT),$(f):755:$(syslibdir)/$(f:share/%=%)) \
	$(foreach f,$(HOOKS),$(f):644:$(syslibdir)/flightctl/$(f:share/%=%)) \
	README.md:644:$(docdir)/README.md LICENSE:644:$(docdir)/LICENSE

install: all
	@$(say) INST $(DESTDIR)$(PREFIX)
	$(Q)set -e; for i in $(INSTALLED); do \
		from=$${i%%:*}; to=$(DESTDIR)$${i##*:}; mode=$${i#*:}; \
		install -D -m $${mode%%:*} $$from $$to; \
		case $$from in \
		share/systemd/* | share/greenboot/*) sed -i 's|@bindir@|$(bindir)|g' $$to ;; \
		$(BUILD)/bin/*) $(STRIP) $$to ;; \
		esac; \
	done
	$(Q)if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory account; fi

uninstall:
	$(Q)for i in $(INSTALLED); do rm -f $(DESTDIR)$${i##*:}; done
	$(Q)rmdir $(DESTDIR)$(libdir)/fc $(DESTDIR)$(datadir)/fc/schema $(DESTDIR)$(datadir)/fc \
		$(DESTDIR)$(docdir)/examples $(DESTDIR)$(docdir) 2>/dev/null || :

# The agent's network half, and what the units of the server run as.
account:
	$(Q)set -e; for a in $(ACCOUNTS); do \
		getent passwd $$a >/dev/null || { echo "making the account $$a"; \
			useradd --system --user-group --no-create-home --home-dir /nonexistent \
				--shell /usr/sbin/nologin $$a; }; \
	done

# --- fuzzing ------------------------------------------------------------------------------------

FUZZERS := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
FUZZ_CC := clang
FUZZ_FLAGS = $(CFLAGS) $(CSTD) -Iagent -fPIC -MMD -MP -fno-omit-frame-pointer \
	-fno-sanitize-recover=all -DFC_MODULE_DIR='"$(libdir)/fc"' -DFC_VERSION='"$(VERSION)"'
FUZZ_SRC := $(LIB_SRC) $(filter-out agent/fc-agent.c agent/main.c,$(AGENT_SRC))
FUZZ_OBJ := $(FUZZ_SRC:%.c=build-fuzz/%.o) $(if $(SQL),build-fuzz/gen/sql.o) \
	$(if $(SCHEMAS),build-fuzz/gen/schema.o) build-fuzz/gen/calls.o
FUZZ_LIBS := $(LIBS_crypto) $(LIBS_yaml) $(LIBS_curl) $(LIBS_event) $(LIBS_pq) $(LIBS_cjose) \
	$(LIBS_BASE)

fuzz: $(FUZZERS:%=build-fuzz/%) build-fuzz/modules/fc_yaml.so
fuzz-run: $(FUZZERS:%=fuzz-run-%)

fuzz-run-%: build-fuzz/% build-fuzz/modules/fc_yaml.so
	$(Q)ASAN_OPTIONS=detect_leaks=1 $< -runs=0 -timeout=10 -rss_limit_mb=2048 test/fuzz/corpus/$*

build-fuzz/libfc.a: $(FUZZ_OBJ)
	@$(say) AR $@
	$(Q)rm -f $@; $(AR) rcs $@ $^

build-fuzz/%.o: %.c $(if $(SQL),$(BUILD)/gen/sql.h)
	@mkdir -p $(@D); $(say) FUZZ $<
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<

build-fuzz/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<

$(FUZZERS:%=build-fuzz/%): build-fuzz/%: build-fuzz/test/fuzz/fuzz_%.o build-fuzz/libfc.a
	@$(say) LD $@
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(FUZZ_LIBS)

# Harnesses of what parses YAML load it as the agent does, and it is fuzzed as well.
build-fuzz/modules/fc_yaml.so: build-fuzz/lib/base/yaml_module.o build-fuzz/libfc.a
	@mkdir -p $(@D); $(say) LD $@
	$(Q)$(FUZZ_CC) -shared -Wl,-Bsymbolic -fsanitize=fuzzer-no-link,address,undefined -o $@ $^ \
		$(LIBS_yaml) $(LIBS_BASE)

# --- measuring ----------------------------------------------------------------------------------

BENCHES := $(patsubst test/bench/%.c,$(BUILD)/bench/%,$(wildcard test/bench/*.c))
LIBS_bench_certs := $(LIBS_crypto)
LIBS_bench_parked := $(call pkg,openssl)
LIBS_bench_cost := $(call pkg,openssl)
LIBS_bench_query := -lsqlite3 $(LIBS_pq)

$(BENCHES): $(BUILD)/bench/%: $(BUILD)/test/bench/%.o $(LIBFC)
	@mkdir -p $(@D); $(say) LD $@
	$(Q)ln -sfn ../bin/modules $(@D)/modules
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $< $(if $(filter minimal probe,$*),-lsqlite3,$(if $(filter cgi,$*),-lsqlite3 $(LIBS_crypto),$(LIBFC) $(LIBS_bench_$*) $(LIBS_BASE)))

# Where bench-full keeps its devices.
BENCH_DATA ?= build/bench-data

bench: all $(BENCHES)
	$(Q)sh test/deps.sh bench >&2
	$(Q)[ "$$(id -u)" != 0 ] || $(MAKE) -s account >&2
	$(Q)rc=0; sh test/bench/run.sh -b $(BUILD) || rc=1; \
		sh test/bench/store.sh -b $(BUILD) 100000 || rc=1; exit $$rc

bench-full: all $(BENCHES)
	$(Q)sh test/deps.sh bench >&2
	$(Q)sh test/bench/store.sh -b $(BUILD) -d $(BENCH_DATA) 10000 100000 1000000

clean:
	rm -rf $(if $(filter command,$(origin BUILD)),$(BUILD),build build-san build-fuzz)

-include $(LIB_OBJ:.o=.d) $(patsubst %.c,$(BUILD)/%.d,$(wildcard lib/*/*_module.c)) $(CMD_SRC:%.c=$(BUILD)/%.d) $(AGENT_SRC:%.c=$(BUILD)/%.d) \
	$(FUZZ_OBJ:.o=.d) $(FUZZERS:%=build-fuzz/test/fuzz/fuzz_%.d) \
	$(BENCHES:$(BUILD)/bench/%=$(BUILD)/test/bench/%.d)
