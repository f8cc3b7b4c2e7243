// SPDX-License-Identifier: MIT
#include "fault.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

#define FAILSLAB "/sys/kernel/debug/failslab/"
#define FAIL_PAGE "/sys/kernel/debug/fail_page_alloc/"

static __thread int nth = -1;
static __thread bool armed, hit;

/* May fail while faults are armed, and is tried again. */
static void set(const char *path, const char *format, ...)
{
	char value[32];
	va_list args;
	int fd, n;

	va_start(args, format);
	n = vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	for (int tries = 0; tries < 100; tries++) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, value, (size_t)n) == n) {
			close(fd);
			return;
		}
		if (fd >= 0)
			close(fd);
	}
	give_up("%s can't be written: %s", path, strerror(errno));
}

static long long get(const char *path, int base)
{
	char value[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, value, sizeof(value) - 1) <= 0)
		give_up("%s can't be read: %s", path, strerror(errno));
	close(fd);
	/* An address of the kernel's is beyond a signed one. */
	return (long long)strtoull(value, NULL, base);
}

const char *fault_lacks(void)
{
	if (access("/proc/thread-self/fail-nth", W_OK))
		return "CONFIG_FAULT_INJECTION";
	if (access(FAILSLAB "ignore-gfp-wait", W_OK))
		return "CONFIG_FAILSLAB and CONFIG_FAULT_INJECTION_DEBUG_FS";
	set(FAILSLAB "ignore-gfp-wait", "N");
	set(FAILSLAB "verbose", "0");
	if (!access(FAIL_PAGE "ignore-gfp-wait", W_OK)) {
		set(FAIL_PAGE "ignore-gfp-wait", "N");
		set(FAIL_PAGE "min-order", "0");
		set(FAIL_PAGE "verbose", "0");
	}
	return NULL;
}

const char *fault_module_lacks(void)
{
	return access(FAILSLAB "require-start", W_OK) ? "CONFIG_FAULT_INJECTION_STACKTRACE_FILTER" :
							NULL;
}

void fault_arm(unsigned int n)
{
	if (nth < 0)
		nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (dprintf(nth, "%u", n) < 0)
		give_up("fail-nth: %s", strerror(errno));
	armed = true;
}

bool fault_disarm(void)
{
	char left[16] = "";

	if (!armed)
		return hit;
	armed = false;
	/* Copies from and to user space are among what fails. */
	while (pread(nth, left, sizeof(left) - 1, 0) <= 0)
		;
	while (pwrite(nth, "0", 1, 0) != 1)
		;
	hit = left[0] == '0';
	return hit;
}

/* --- of the module alone ------------------------------------------------------------ */

/* Length of the module's .text, as its file says. */
static unsigned long text_size(void)
{
	static const char *const error = "$CDRIVE_KO is no module";
	int fd = open(getenv("CDRIVE_KO"), O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr header;
	Elf64_Shdr names, section;
	char name[8];

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    pread(fd, &names, sizeof(names),
		  (off_t)header.e_shoff + header.e_shstrndx * (off_t)sizeof(names)) !=
		    sizeof(names))
		give_up("%s", error);
	for (unsigned int i = 0; i < header.e_shnum; i++) {
		if (pread(fd, &section, sizeof(section),
			  (off_t)header.e_shoff + i * (off_t)sizeof(section)) != sizeof(section) ||
		    pread(fd, name, sizeof(name), (off_t)names.sh_offset + section.sh_name) < 6)
			give_up("%s", error);
		if (memcmp(name, ".text", 6) == 0) {
			close(fd);
			return section.sh_size;
		}
	}
	give_up("%s", error);
}

static void limit_to_module(void)
{
	unsigned long long start = (unsigned long long)get("/sys/module/cdrive/sections/.text", 16);

	set(FAILSLAB "probability", "0");
	set(FAILSLAB "require-start", "%#llx", start);
	set(FAILSLAB "require-end", "%#llx", start + text_size());
	set(FAILSLAB "stacktrace-depth", "100");
	set(FAILSLAB "interval", "1");
}

void fault_arm_module(int bytes)
{
	limit_to_module();
	set(FAILSLAB "space", "%d", bytes);
	set(FAILSLAB "times", "1");
	set(FAILSLAB "probability", "100");
}

void fault_arm_module_often(unsigned int percent)
{
	limit_to_module();
	set(FAILSLAB "space", "0");
	set(FAILSLAB "times", "-1");
	set(FAILSLAB "probability", "%u", percent);
}

bool fault_disarm_module(int *bytes)
{
	set(FAILSLAB "probability", "0");
	if (bytes)
		*bytes = (int)get(FAILSLAB "space", 10);
	return !get(FAILSLAB "times", 10);
}
