// SPDX-License-Identifier: MIT
/*
 * vm-guest.c - the guest's side of scripts/vm: process 1 of the machine
 *
 * It comes with the initramfs, makes a root of the host's file tree, runs the
 * command there, and takes the machine down.  It was a script once: starting a
 * program takes 30 ms with all checkers on, and there were sixty.
 *
 * What it must do and can't, it tells the console, and takes the machine down.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/reboot.h>
#include <net/if.h>
#include <net/route.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SHARE "/run/vm/share/"
#define DETECTOR "/sys/kernel/debug/kmemleak"

/* share/machine: what scripts/vm has to say, NAME=VALUE a line. */
static struct {
	char project[PATH_MAX], here[PATH_MAX], modules[PATH_MAX], module_file[PATH_MAX];
	char release[256], forwards[256]; /* ports, separated by commas */
	bool out_shared, leaks, coverage;
} machine;

static _Noreturn void power_off(void)
{
	/* No sync: what is still mounted may never answer. */
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	_exit(1);
}

static _Noreturn void fail(const char *what, const char *on)
{
	fprintf(stderr, "vm-guest: %s %s: %s\n", what, on, strerror(errno));
	power_off();
}

static int try_mount(const char *from, const char *to, const char *type, unsigned long flags,
		     const char *data)
{
	int err = mount(from, to, type, flags, data);

	if (err)
		fprintf(stderr, "vm-guest: mount %s: %s\n", to, strerror(errno));
	return err;
}

static void must_mount(const char *from, const char *to, const char *type, unsigned long flags,
		       const char *data)
{
	if (mount(from, to, type, flags, data))
		fail("mount", to);
}

/* With what leads there. */
static void make_dir(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		mkdir(part, 0755);
		*p = '/';
	}
	if (mkdir(part, 0755) && errno != EEXIST)
		fail("mkdir", part);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "vm-guest: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* What is read from @in until it ends. */
static void pass_on(int in, int out)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0, did; at < n; at += did) {
			did = write(out, buf + at, (size_t)(n - at));
			if (did < 0)
				return;
		}
}

/* --- the root ------------------------------------------------------------------- */

/* What the host shares under @name: by a user-mode kernel's own means, of which init's
 * environment has the path, or by virtiofs. */
static void mount_host(const char *name, const char *to, bool read_only)
{
	unsigned long flags = read_only ? MS_RDONLY : 0;
	char variable[32];
	const char *path;

	snprintf(variable, sizeof(variable), "hostfs_%s", name);
	path = getenv(variable);
	if (path)
		must_mount(name, to, "hostfs", flags, path);
	else
		must_mount(name, to, "virtiofs", flags, NULL);
}

static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "re");
	char name[NAME_MAX + 2], path[NAME_MAX + 16];

	while (order && fgets(name, sizeof(name), order)) {
		int fd;

		name[strcspn(name, "\n")] = 0;
		snprintf(path, sizeof(path), "/modules/%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			fail("load", path);
		close(fd);
		unlink(path);
	}
	if (order)
		fclose(order);
}

static void set(const char *name, const char *value)
{
	const struct {
		const char *name;
		char *text;
		size_t size;
		bool *flag;
	} all[] = {
		{ "project", machine.project, sizeof(machine.project), NULL },
		{ "here", machine.here, sizeof(machine.here), NULL },
		{ "modules", machine.modules, sizeof(machine.modules), NULL },
		{ "module_file", machine.module_file, sizeof(machine.module_file), NULL },
		{ "release", machine.release, sizeof(machine.release), NULL },
		{ "forwards", machine.forwards, sizeof(machine.forwards), NULL },
		{ "out_shared", NULL, 0, &machine.out_shared },
		{ "leaks", NULL, 0, &machine.leaks },
		{ "coverage", NULL, 0, &machine.coverage },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i].name, name) != 0)
			continue;
		if (all[i].flag)
			*all[i].flag = *value;
		else
			snprintf(all[i].text, all[i].size, "%s", value);
	}
}

static void read_machine(const char *path)
{
	char line[PATH_MAX + 32];
	FILE *f = fopen(path, "re");

	if (!f)
		fail("open", path);
	while (fgets(line, sizeof(line), f)) {
		char *value = strchr(line, '=');

		line[strcspn(line, "\n")] = 0;
		if (value) {
			*value++ = 0;
			set(line, value);
		}
	}
	fclose(f);
}

/* @from of the host's tree is at @to of the new root. */
static void bind_host(const char *from, const char *to)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "/host%s", from);
	must_mount(path, to, NULL, MS_BIND, NULL);
}

static void bind_modules(void)
{
	char dir[PATH_MAX], file[PATH_MAX + 32];

	snprintf(dir, sizeof(dir), "usr/lib/modules/%s", machine.release);
	make_dir(dir);
	bind_host(machine.modules, dir);
	snprintf(file, sizeof(file), "%s/updates/cdrive.ko", dir);
	if (machine.module_file[0])
		bind_host(machine.module_file, file);
}

/* A project under one of the directories that are covered is brought back. */
static void bind_project(void)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "/root%s/scripts/vm", machine.project);
	if (!access(path, F_OK))
		return;
	snprintf(path, sizeof(path), "/root%s", machine.project);
	make_dir(path);
	bind_host(machine.project, path);
}

/* The host's tree under an overlay, which is there only to have mount points that the
 * host lacks, and is read-only in the end. */
static void make_root(void)
{
	static const char *const mount_points[] = { "proc", "sys", "dev" };
	static const char *const empty[] = {
		"run",
		"tmp",
		"mnt",
		"media",
		"var/tmp",
		"var/cache",
		"etc/clouddrive",
		"var/lib/clouddrive",
		"usr/lib/modules",
	};

	make_dir("/host");
	make_dir("/over");
	make_dir("/root");
	mount_host("root", "/host", true);
	must_mount("tmpfs", "/over", "tmpfs", 0, NULL);
	make_dir("/over/upper");
	make_dir("/over/work");
	must_mount("overlay", "/root", "overlay", 0,
		   "lowerdir=/host,upperdir=/over/upper,workdir=/over/work");
	if (chdir("/root"))
		fail("chdir", "/root");
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]); i++)
		make_dir(mount_points[i]);
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		make_dir(empty[i]);
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		must_mount("tmpfs", empty[i], "tmpfs", 0, NULL);
	make_dir("run/vm/share");
	make_dir("run/vm/out");
	make_dir("run/lock");
	mount_host("vm", "run/vm/share", false);
	read_machine("run/vm/share/machine");
	if (machine.out_shared)
		mount_host("out", "run/vm/out", false);
	else
		must_mount("run/vm/share/out", "run/vm/out", NULL, MS_BIND, NULL);
	bind_modules();
	bind_project();
	must_mount(NULL, "/root", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]); i++) {
		char from[16];

		snprintf(from, sizeof(from), "/%s", mount_points[i]);
		must_mount(from, mount_points[i], NULL, MS_MOVE, NULL);
	}
	/* As switch_root(8) does. */
	must_mount(".", "/", NULL, MS_MOVE, NULL);
	if (chroot(".") || chdir("/"))
		fail("chroot", "/root");
}

static void mount_kernels_own(void)
{
	make_dir("/dev/shm");
	make_dir("/dev/pts");
	must_mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL);
	must_mount("devpts", "/dev/pts", "devpts", 0, NULL);
	try_mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	try_mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	try_mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	if (symlink("/proc/self/fd", "/dev/fd") || symlink("fd/0", "/dev/stdin") ||
	    symlink("fd/1", "/dev/stdout") || symlink("fd/2", "/dev/stderr"))
		fail("symlink", "/dev/fd");
}

/* --- the network ------------------------------------------------------------------ */

static void interface_up(int fd, const char *name)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &r))
		fail("network:", name);
	r.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &r))
		fail("network:", name);
}

static void set_address(int fd, const char *name, unsigned long request, const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	inet_pton(AF_INET, text, &in.sin_addr);
	memcpy(&r.ifr_addr, &in, sizeof(in));
	if (ioctl(fd, request, &r))
		fail("network: address", text);
}

static void set_default_route(int fd, const char *text)
{
	struct sockaddr_in gateway = { .sin_family = AF_INET }, any = { .sin_family = AF_INET };
	struct rtentry r = { .rt_flags = RTF_UP | RTF_GATEWAY };

	inet_pton(AF_INET, text, &gateway.sin_addr);
	memcpy(&r.rt_gateway, &gateway, sizeof(gateway));
	memcpy(&r.rt_dst, &any, sizeof(any));
	memcpy(&r.rt_genmask, &any, sizeof(any));
	if (ioctl(fd, SIOCADDRT, &r))
		fail("network: route to", text);
}

/* The host's loopback is 10.0.2.2 behind QEMU.  A packet to 127.0.0.1 may leave by eth0
 * only with route_localnet, and not with that source address. */
static void forward(void)
{
	int in[2], status;
	pid_t pid;

	write_file("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1");
	if (pipe2(in, O_CLOEXEC))
		fail("pipe", "for nft");
	pid = fork();
	if (pid < 0)
		fail("fork", "for nft");
	if (!pid) {
		dup2(in[0], 0);
		execl("/usr/sbin/nft", "nft", "-f", "-", NULL);
		_exit(127);
	}
	close(in[0]);
	dprintf(in[1],
		"table ip forward {\n"
		"	chain output {\n"
		"		type nat hook output priority -100\n"
		"		ip daddr 127.0.0.1 tcp dport { %s } dnat to 10.0.2.2\n"
		"	}\n"
		"	chain postrouting {\n"
		"		type nat hook postrouting priority 100\n"
		"		oifname eth0 ip saddr 127.0.0.0/8 masquerade\n"
		"	}\n"
		"}\n",
		machine.forwards);
	close(in[1]);
	if (waitpid(pid, &status, 0) != pid || status)
		fprintf(stderr, "vm-guest: nft: status %d\n", status);
}

static void start_network(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_name = "vec0", .ifr_newname = "eth0" };

	if (fd < 0)
		fail("socket", "for the network");
	interface_up(fd, "lo");
	ioctl(fd, SIOCSIFNAME, &r); /* a user-mode kernel's */
	if (if_nametoindex("eth0")) {
		interface_up(fd, "eth0");
		set_address(fd, "eth0", SIOCSIFADDR, "10.0.2.15");
		set_address(fd, "eth0", SIOCSIFNETMASK, "255.255.255.0");
		set_default_route(fd, "10.0.2.2");
		if (machine.forwards[0])
			forward();
	}
	close(fd);
}

/* --- the command -------------------------------------------------------------------- */

/* A process that carries what comes through a pipe to where the host reads it; a pipe,
 * as a program that opens /dev/stderr again would truncate a file.  The pipe's other end. */
static int carrier(const char *name, const char *line, pid_t *pid)
{
	char path[64];
	struct termios t;
	int ends[2], out;

	snprintf(path, sizeof(path), "%s%s", SHARE, name);
	if (getenv("hostfs_vm"))
		snprintf(path, sizeof(path), "%s", line);
	out = open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
	if (out < 0)
		fail("open", path);
	if (!tcgetattr(out, &t)) {
		cfmakeraw(&t);
		tcsetattr(out, TCSANOW, &t);
	}
	if (pipe2(ends, O_CLOEXEC))
		fail("pipe", name);
	*pid = fork();
	if (*pid < 0)
		fail("fork", name);
	if (!*pid) {
		close(ends[1]);
		pass_on(ends[0], out);
		_exit(0);
	}
	close(ends[0]);
	close(out);
	return ends[1];
}

static _Noreturn void run_command(int out, int err)
{
	static const char *const init_only[] = { "hostfs_root", "hostfs_vm", "hostfs_out", "mem",
						 "uml_dir" };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(init_only) / sizeof(init_only[0]); i++)
		unsetenv(init_only[i]);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	execl("/bin/sh", "sh", SHARE "command", NULL);
	_exit(127);
}

/* Ends what the command left running, so that its output ends; not the two that carry
 * that, nor what is the kernel's. */
static void end_the_rest(const pid_t carriers[2])
{
	DIR *proc = opendir("/proc");
	struct dirent *e;

	while (proc && (e = readdir(proc))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		char path[PATH_MAX], exe[8];

		snprintf(path, sizeof(path), "/proc/%s/exe", e->d_name);
		if (pid > 1 && pid != carriers[0] && pid != carriers[1] &&
		    readlink(path, exe, sizeof(exe)) > 0)
			kill(pid, SIGKILL);
	}
	if (proc)
		closedir(proc);
}

/* A process stuck in the kernel may hold a pipe open for ever. */
static void wait_for_carriers(const pid_t carriers[2])
{
	struct timespec patience = { .tv_sec = 5 };
	unsigned int left = 2;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	while (left) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid == carriers[0] || pid == carriers[1])
			left--;
		else if (pid < 0)
			return;
		else if (!pid && sigtimedwait(&child, NULL, &patience) < 0 && errno == EAGAIN)
			break;
	}
	if (left) {
		kill(carriers[0], SIGKILL);
		kill(carriers[1], SIGKILL);
	}
}

/* Its status, as a shell would say. */
static int carry_out(void)
{
	pid_t carriers[2], pid, ended;
	int out, err, status = 0;

	out = carrier("stdout", "/dev/ttyS0", &carriers[0]);
	err = carrier("stderr", "/dev/ttyS1", &carriers[1]);
	if (chdir(machine.here) && chdir(machine.project) && chdir("/"))
		fail("chdir", "/");
	write_file(SHARE "started", "");
	pid = fork();
	if (pid < 0)
		fail("fork", "for the command");
	if (!pid)
		run_command(out, err);
	close(out);
	close(err);
	do {
		ended = waitpid(-1, &status, 0); /* orphans, too */
	} while (ended != pid && (ended > 0 || errno == EINTR));
	if (chdir("/"))
		fail("chdir", "/");
	end_the_rest(carriers);
	wait_for_carriers(carriers);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- the end --------------------------------------------------------------------------- */

/* What the kernel's leak detector finds.  It takes no object for lost that is younger than
 * five seconds, nor before a second scan has found it as it was in the first. */
static void look_for_leaks(void)
{
	const struct timespec while_young = { 5, 100000000 };
	int in, out;

	if (!machine.leaks || access(DETECTOR, F_OK))
		return;
	nanosleep(&while_young, NULL);
	write_file(DETECTOR, "scan");
	write_file(DETECTOR, "scan");
	in = open(DETECTOR, O_RDONLY | O_CLOEXEC);
	out = open(SHARE "leaks", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (in < 0 || out < 0)
		fail("open", SHARE "leaks");
	pass_on(in, out);
	close(in);
	close(out);
}

/* The counters of a module that has any, and the compiler's notes that explain them. */
static void collect_coverage(void)
{
	pid_t pid;

	if (!machine.coverage)
		return;
	pid = fork();
	if (!pid) {
		execl("/bin/cp", "cp", "-rL", "/sys/kernel/debug/gcov", SHARE "coverage", NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* The kernel had none for us: there was no /dev yet. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	for (int i = 0; i < 3; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
}

int main(void)
{
	char text[16];

	make_dir("/proc");
	make_dir("/sys");
	make_dir("/dev");
	must_mount("proc", "/proc", "proc", 0, NULL);
	must_mount("sysfs", "/sys", "sysfs", 0, NULL);
	must_mount("dev", "/dev", "devtmpfs", 0, NULL);
	open_console();
	load_modules();
	make_root();
	mount_kernels_own();
	if (sethostname("vm", 2))
		fail("sethostname", "vm");
	write_file("/proc/sys/kernel/hung_task_timeout_secs", "200");
	start_network();
	snprintf(text, sizeof(text), "%d\n", carry_out());
	look_for_leaks();
	collect_coverage();
	write_file(SHARE "status", text);
	power_off();
}
