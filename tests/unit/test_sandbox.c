// SPDX-License-Identifier: MIT
/*
 * What a process in each sandbox can't do any more, and what it still can.  Each
 * test enters one in a child of its own; what is tried there is first shown to work
 * outside where it does as root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <linux/capability.h>
#include <linux/cdrive.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/runtime.h"
#include "lib/sandbox.h"
#include "look_up.h"

static char dir[] = "/tmp/cdrive-sandbox-XXXXXX";
static char outside[] = "/tmp/cdrive-outside-XXXXXX";
static bool landlock;
static int listener; /* TCP, on the loopback interface */
static pid_t victim; /* another process of root's */
static unsigned long long all_caps; /* outside of any sandbox */

/* Says which line it was, and goes on: a child has one message, its status. */
#define CHECK(what)                                                                         \
	do {                                                                                \
		if (!(what)) {                                                              \
			dprintf(2, "line %d: %s (%s)\n", __LINE__, #what, strerror(errno)); \
			failures++;                                                         \
		}                                                                           \
	} while (0)
/* -1 with the error @e */
#define REFUSED(e, call) CHECK((errno = 0, (call) == -1) && errno == (e))

static int failures;
static FILE *own_status; /* /proc/self/status */

static void in_sandbox(enum sandbox which, void (*body)(void))
{
	int status, err;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		own_status = fopen("/proc/self/status", "re");
		err = sandbox_enter(which);
		if (err) {
			dprintf(2, "sandbox_enter: %s\n", strerror(-err));
			_exit(99);
		}
		body();
		_exit(failures ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFSIGNALED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static unsigned long long capabilities(void)
{
	unsigned long long caps = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "CapPrm:", 7))
			caps = strtoull(line + 7, NULL, 16);
	fclose(f);
	return caps;
}

/* --- what is gone ------------------------------------------------------------ */

/* A member of /proc/self/status, which has to be opened before. */
static bool status_is(FILE *f, const char *name, const char *value)
{
	size_t n = strlen(name);
	char line[256];

	rewind(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, n) && line[n] == ':') {
			line[strcspn(line, "\n")] = '\0';
			return !strcmp(line + n + 1 + strspn(line + n + 1, "\t "), value);
		}
	return false;
}

static void no_privileges(void)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		CHECK(status_is(own_status, sets[i], "0000000000000000"));
	CHECK(status_is(own_status, "NoNewPrivs", "1"));
	CHECK(status_is(own_status, "Seccomp", "2"));
}

static int thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SYSVSEM;

static void no_programs(void)
{
	char *const argv[] = { (char *)"true", NULL };

	REFUSED(EPERM, execv("/bin/true", argv));
	REFUSED(EPERM, syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, argv, 0));
	REFUSED(EPERM, syscall(SYS_fork));
	REFUSED(EPERM, syscall(SYS_vfork));
	REFUSED(EPERM, syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
	REFUSED(EPERM, syscall(SYS_clone, thread_flags, NULL, NULL, NULL, NULL));
	REFUSED(EPERM, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
	REFUSED(ENOSYS, syscall(SYS_clone3, NULL, 0));
	REFUSED(EPERM, unshare(CLONE_NEWUSER));
}

static void no_others(void)
{
	REFUSED(EPERM, kill(victim, 0));
	REFUSED(EPERM, kill(-1, 0));
	REFUSED(EPERM, (int)syscall(SYS_tkill, victim, 0));
	REFUSED(EPERM, (int)syscall(SYS_tgkill, victim, victim, 0));
	REFUSED(ENOSYS, (int)syscall(SYS_pidfd_open, victim, 0));
	REFUSED(EPERM, (int)ptrace(PTRACE_ATTACH, victim, NULL, NULL));
	REFUSED(EPERM, (int)syscall(SYS_process_vm_readv, victim, NULL, 0, NULL, 0, 0));
	REFUSED(EPERM, setpriority(PRIO_PROCESS, (id_t)victim, 5));
	REFUSED(EPERM, prlimit(victim, RLIMIT_CORE, NULL, &(struct rlimit){ 0 }));
	REFUSED(EPERM, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	REFUSED(EPERM, prctl(PR_SET_PTRACER, (unsigned long)victim, 0, 0, 0));
}

static void no_kernel(void)
{
	REFUSED(EPERM, mount("none", dir, "tmpfs", 0, NULL));
	REFUSED(EPERM, umount(dir));
	REFUSED(EPERM, (int)syscall(SYS_init_module, NULL, 0, ""));
	REFUSED(EPERM, (int)syscall(SYS_finit_module, 0, "", 0));
	REFUSED(EPERM, (int)syscall(SYS_bpf, 0, NULL, 0));
	REFUSED(EPERM, (int)syscall(SYS_io_uring_setup, 1, NULL));
	REFUSED(EPERM, (int)syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
	REFUSED(EPERM, (int)syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	REFUSED(EPERM, mknod("/tmp/cdrive-no-device", S_IFBLK | 0600, 0));
	REFUSED(EPERM, chroot(dir));
	REFUSED(EPERM, setuid(0));
	REFUSED(EPERM, chmod(dir, 0777));
	REFUSED(EPERM, ioctl(0, TIOCSTI, "x"));
}

/* W^X, but for libraries. */
static void no_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const int all = PROT_READ | PROT_WRITE | PROT_EXEC;

	CHECK(p != MAP_FAILED);
	REFUSED(EPERM, mprotect(p, 4096, PROT_READ | PROT_EXEC));
	CHECK(mmap(NULL, 4096, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	      MAP_FAILED);
	CHECK(mprotect(p, 4096, PROT_READ) == 0);
	munmap(p, 4096);
}

static char foreign_memory[64];

static void no_files(void)
{
	char path[64];

	if (!landlock)
		return;
	REFUSED(EACCES, open("/etc/shadow", O_RDONLY));
	REFUSED(EACCES, open("/etc/passwd", O_RDONLY));
	REFUSED(EACCES, open("/root", O_RDONLY | O_DIRECTORY));
	REFUSED(EACCES, open(foreign_memory, O_RDONLY));
	REFUSED(EACCES, open("/proc/sys/kernel/core_pattern", O_WRONLY));
	REFUSED(EACCES, open("/dev/zero", O_RDONLY));
	REFUSED(EACCES, open(outside, O_RDONLY | O_DIRECTORY));
	snprintf(path, sizeof(path), "%s/file", outside);
	REFUSED(EACCES, open(path, O_RDONLY));
	REFUSED(EACCES, open(path, O_WRONLY));
	REFUSED(EACCES, unlink(path));
	snprintf(path, sizeof(path), "%s/new", outside);
	REFUSED(EACCES, open(path, O_WRONLY | O_CREAT, 0600));
}

static void nothing_else(void)
{
	no_privileges();
	no_programs();
	no_others();
	no_kernel();
	no_code();
	no_files();
	REFUSED(EPERM, socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
	REFUSED(EPERM, socket(AF_ALG, SOCK_SEQPACKET, 0));
	REFUSED(EPERM, socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	REFUSED(EPERM, socket(AF_VSOCK, SOCK_STREAM, 0));
}

/* --- what is left ------------------------------------------------------------- */

static void own_files(void)
{
	json_t *record = json_pack("{s:s}", "url", "somewhere"), *loaded;
	char path[64];
	int fd;

	CHECK(runtime_save(3, record) == 0);
	CHECK(runtime_update(3, json_pack("{s:i}", "a", 1)) == 0);
	loaded = runtime_load(3);
	CHECK(json_integer_value(json_object_get(loaded, "a")) == 1);
	runtime_remove(3);
	CHECK(runtime_load(3) == NULL);
	snprintf(path, sizeof(path), "%s/lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && ftruncate(fd, 0) == 0 && unlink(path) == 0);
	close(fd);
	fd = open("/dev/null", O_RDWR);
	CHECK(fd >= 0);
	close(fd);
}

static void events(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_BOOTTIME, 0);
	struct itimerspec soon = { .it_value.tv_nsec = 1 };

	CHECK(eventfd(0, EFD_CLOEXEC) >= 0);
	CHECK(timerfd_settime(timer, 0, &soon, NULL) == 0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, timer, &e) == 0);
	CHECK(epoll_wait(ep, &e, 1, 5000) == 1);
}

static void messages(void)
{
	int pair[2];
	json_t *m = NULL;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(runtime_send(pair[0], json_pack("{s:i}", "a", 7)) == 0);
	CHECK(runtime_receive(pair[1], &m, 1000) == 0);
	CHECK(json_integer_value(json_object_get(m, "a")) == 7);
	openlog("cdrive-sandbox", LOG_PID, LOG_DAEMON);
	syslog(LOG_DEBUG, "from a sandbox");
}

static volatile sig_atomic_t signalled;

static void on_signal(int signo)
{
	signalled = signo;
}

static void ourselves(void)
{
	char *big = malloc(100 << 20);

	signal(SIGUSR1, on_signal);
	CHECK(raise(SIGUSR1) == 0 && signalled == SIGUSR1);
	CHECK(kill(getpid(), 0) == 0);
	/* Under mlockall(2), too: see started_by_spawner(). */
	CHECK(big != NULL);
	memset(big, 1, 100 << 20);
	free(big);
	CHECK(time(NULL) > 0 && localtime(&(time_t){ 0 }));
}

static void *thread(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static void threads(void)
{
	pthread_t t;
	int ran = 0;

	CHECK(pthread_create(&t, NULL, thread, &ran) == 0 && pthread_join(t, NULL) == 0 && ran);
}

static void *resolve(void *arg)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *found;

	(void)arg;
	CHECK(getaddrinfo("localhost", "80", &hints, &found) == 0);
	/* Whom nsswitch.conf names after "files" is asked, and nothing but the
	 * name is wrong: EAI_SYSTEM would be our filter's doing. */
	CHECK(getaddrinfo("no-such-name.invalid", "80", &hints, &found) != EAI_SYSTEM);
	return NULL;
}

static void network(void)
{
	struct sockaddr_in addr = { 0 };
	socklen_t len = sizeof(addr);
	pthread_t t;
	int fd;

	CHECK(pthread_create(&t, NULL, resolve, NULL) == 0 && pthread_join(t, NULL) == 0);
	CHECK(look_up("localhost") == AZ_NAME_KNOWN);
	CHECK(look_up("no-such-name.invalid") == AZ_NAME_UNKNOWN);
	CHECK(getsockname(listener, (struct sockaddr *)&addr, &len) == 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	CHECK(ioctl(fd, FIONBIO, &(int){ 0 }) == 0);
	/* Of the payload device alone, and they get there; what is done before does not. */
	CHECK(ioctl(fd, CDRIVE_PAYLOAD_REMEMBER, NULL) == -1 && errno == ENOTTY);
	CHECK(ioctl(fd, CDRIVE_PAYLOAD_COMPLETE, NULL) == -1 && errno == ENOTTY);
	CHECK(ioctl(fd, CDRIVE_PAYLOAD_LEASE, NULL) == -1 && errno == ENOTTY);
	CHECK(ioctl(fd, CDRIVE_PAYLOAD_BIND, NULL) == -1 && errno == EPERM);
	CHECK(ioctl(fd, CDRIVE_PAYLOAD_RESERVES, NULL) == -1 && errno == EPERM);
	CHECK(connect(fd, (struct sockaddr *)&addr, len) == 0 && send(fd, "x", 1, 0) == 1);
	CHECK(socket(AF_INET6, SOCK_DGRAM, 0) >= 0 || errno == EAFNOSUPPORT);
	CHECK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0);
}

/* A library that nothing has needed so far. */
static void libraries(void)
{
	iconv_t c = iconv_open("IBM1047", "UTF-8");

	CHECK(c != (iconv_t)-1);
}

static void certificates(void)
{
	DIR *d = opendir("/etc/ssl/certs");

	CHECK(d || errno == ENOENT);
	CHECK(open(getenv("SSL_CERT_FILE"), O_RDONLY) >= 0);
}

/* --- the tests ---------------------------------------------------------------- */

static void helper_left(void)
{
	own_files();
	events();
	messages();
	ourselves();
	threads();
	network();
	libraries();
	certificates();
	CHECK(!sandbox_stale());
}

static void agent_left(void)
{
	own_files();
	events();
	messages();
	ourselves();
}

static void agent_gone(void)
{
	nothing_else();
	REFUSED(EPERM, socket(AF_INET, SOCK_STREAM, 0));
	REFUSED(EPERM, socket(AF_INET6, SOCK_STREAM, 0));
	REFUSED(EPERM, socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	REFUSED(EPERM, bind(listener, NULL, 0));
	REFUSED(EPERM, listen(listener, 1));
	CHECK(pthread_create(&(pthread_t){ 0 }, NULL, thread, NULL) == EPERM);
	if (landlock)
		REFUSED(EACCES, open("/etc/resolv.conf", O_RDONLY));
}

static void helper(void **state)
{
	(void)state;
	in_sandbox(SANDBOX_HELPER, helper_left);
	in_sandbox(SANDBOX_HELPER, nothing_else);
}

static void agent(void **state)
{
	(void)state;
	in_sandbox(SANDBOX_AGENT, agent_left);
	in_sandbox(SANDBOX_AGENT, agent_gone);
}

/* SYS_ADMIN, NET_ADMIN, IPC_LOCK, SYS_RESOURCE, SETPCAP, DAC_READ_SEARCH: what of it
 * there was (a container may lack some) */
#define SPAWNER_CAPS 0x01205104ull

static void spawner_gone(void)
{
	char left[17];

	snprintf(left, sizeof(left), "%016llx", all_caps & SPAWNER_CAPS);
	CHECK(status_is(own_status, "CapPrm", left));
	CHECK(status_is(own_status, "CapEff", left));
	CHECK(status_is(own_status, "CapBnd", left));
	CHECK(status_is(own_status, "CapInh", "0000000000000000"));
	CHECK(status_is(own_status, "NoNewPrivs", "1"));
	CHECK(status_is(own_status, "Seccomp", "2"));
	REFUSED(EPERM, mount("none", dir, "tmpfs", 0, NULL));
	REFUSED(EPERM, (int)syscall(SYS_init_module, NULL, 0, ""));
	REFUSED(EPERM, (int)syscall(SYS_bpf, 0, NULL, 0));
	REFUSED(EPERM, (int)ptrace(PTRACE_ATTACH, victim, NULL, NULL));
	REFUSED(EPERM, (int)syscall(SYS_process_vm_readv, victim, NULL, 0, NULL, 0, 0));
	REFUSED(EPERM, unshare(CLONE_NEWNS));
	REFUSED(EPERM, setuid(0));
	REFUSED(EPERM, (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
	REFUSED(ENOSYS, (int)syscall(SYS_clone3, NULL, 0));
}

/* What its child, a helper, does: start a program, keep what it may, and enter its own
 * sandbox (which is done by this program once more, see main()). */
static void spawner_left(void)
{
	char *const argv[] = { (char *)"test_sandbox", (char *)"--started-by-spawner", NULL };
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		execv("/proc/self/exe", argv);
		_exit(98);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status)) {
		dprintf(2, "started by the spawner: %d\n", WEXITSTATUS(status));
		failures++;
	}
}

/* helper/drive/main.c, harden(); link.c; and then the sandbox */
static int started_by_spawner(void)
{
	struct rlimit none = { 0, 0 };
	int fd;

	strcpy(dir, runtime_dir());
	all_caps = capabilities();
	if (all_caps & 1ull << CAP_SYS_RESOURCE) {
		/* (syscall: the sanitizers make nothing of mlockall.) */
		CHECK(syscall(SYS_mlockall, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0);
		CHECK(prctl(57 /* PR_SET_IO_FLUSHER */, 1, 0, 0, 0) == 0);
		fd = open("/proc/self/oom_score_adj", O_WRONLY);
		CHECK(write(fd, "-1000", 5) == 5);
	}
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 1 << 20 }, sizeof(int)) == 0);
	CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
	CHECK(sandbox_enter(SANDBOX_HELPER) == 0);
	threads();
	own_files();
	if (all_caps & 1ull << CAP_SYS_RESOURCE)
		ourselves();
	REFUSED(EPERM, (int)syscall(SYS_fork));
	return failures ? 1 : 0;
}

static void spawner(void **state)
{
	(void)state;
	in_sandbox(SANDBOX_SPAWNER, spawner_gone);
	in_sandbox(SANDBOX_SPAWNER, spawner_left);
}

static void nowhere(void)
{
}

/* A sandbox that is not whole is none: it says so. */
static void no_directory(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		setenv("CLOUDDRIVE_RUNTIME_DIR", "/nowhere/at/all", 1);
		_exit(sandbox_enter(SANDBOX_HELPER) == -ENOENT ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	if (landlock)
		assert_int_equal(status, 0);
	in_sandbox(SANDBOX_HELPER, nowhere);
}

static int group_setup(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char path[64];
	int fd;

	(void)state;
	all_caps = capabilities();
	landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
	if (!mkdtemp(dir) || !mkdtemp(outside))
		return -1;
	snprintf(path, sizeof(path), "%s/file", outside);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	close(fd);
	snprintf(path, sizeof(path), "%s/ca.pem", outside);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	setenv("SSL_CERT_FILE", path, 1);
	setenv("CLOUDDRIVE_RUNTIME_DIR", dir, 1);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 16))
		return -1;
	victim = fork();
	if (!victim) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	snprintf(foreign_memory, sizeof(foreign_memory), "/proc/%d/mem", victim);
	return 0;
}

/* Root can do outside what the tests find refused inside. */
static void outside_all_of_it_works(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(kill(victim, 0), 0);
	fd = open("/etc/shadow", O_RDONLY);
	assert_true(fd >= 0);
	close(fd);
	fd = open(foreign_memory, O_RDONLY);
	assert_true(fd >= 0);
	close(fd);
	fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	assert_true(fd >= 0 || errno == EAFNOSUPPORT);
	close(fd);
	assert_int_not_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	if (!landlock)
		print_message("# this kernel has no Landlock: files are not tested\n");
}

static int group_teardown(void **state)
{
	char path[64];

	(void)state;
	kill(victim, SIGKILL);
	waitpid(victim, NULL, 0);
	snprintf(path, sizeof(path), "%s/file", outside);
	unlink(path);
	snprintf(path, sizeof(path), "%s/ca.pem", outside);
	unlink(path);
	rmdir(outside);
	return rmdir(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outside_all_of_it_works),
		cmocka_unit_test(helper),
		cmocka_unit_test(agent),
		cmocka_unit_test(spawner),
		cmocka_unit_test(no_directory),
	};

	if (argc == 2 && !strcmp(argv[1], "--started-by-spawner"))
		_exit(started_by_spawner());
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
