/* SPDX-License-Identifier: MIT */
/*
 * kernel.h - what driver/cache/ uses of the kernel, for one thread in user space
 *
 * Locks are checked (none is taken twice, nobody sleeps with one), and whenever the last one is
 * released, somebody else may run: kernel_unlocked().
 */
#ifndef TESTS_CACHE_KERNEL_H
#define TESTS_CACHE_KERNEL_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <asm/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define U8_MAX UINT8_MAX
#define U16_MAX UINT16_MAX
#define U32_MAX UINT32_MAX
#define S64_MAX INT64_MAX
#define SECTOR_SHIFT 9

#define READ_ONCE(x) (x)
#define WRITE_ONCE(x, value) ((x) = (value))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define DIV_ROUND_UP_ULL(n, d) ((u64)DIV_ROUND_UP((u64)(n), (u64)(d)))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline unsigned int ilog2(u32 n)
{
	return 31 - (unsigned int)__builtin_clz(n);
}

static inline u32 rounddown_pow_of_two(u32 n)
{
	return 1u << ilog2(n);
}

static inline u32 roundup_pow_of_two(u32 n)
{
	return n == 1 ? 1 : 2u << ilog2(n - 1);
}

/* --- locks ------------------------------------------------------------------ */

typedef struct {
	bool held;
} spinlock_t;

struct mutex {
	bool held;
};

extern unsigned int kernel_locks; /* spinlocks that are held */
void kernel_unlocked(void);

static inline void spin_lock_init(spinlock_t *lock)
{
	lock->held = false;
}

static inline void spin_lock(spinlock_t *lock)
{
	assert(!lock->held);
	lock->held = true;
	kernel_locks++;
}

static inline void spin_unlock(spinlock_t *lock)
{
	assert(lock->held);
	lock->held = false;
	if (!--kernel_locks)
		kernel_unlocked();
}

#define lockdep_assert_held(lock) assert((lock)->held)

static inline void might_sleep(void)
{
	assert(!kernel_locks);
}

#define cond_resched() might_sleep()

static inline void mutex_init(struct mutex *mutex)
{
	mutex->held = false;
}

static inline void mutex_lock(struct mutex *mutex)
{
	might_sleep();
	assert(!mutex->held);
	mutex->held = true;
}

static inline void mutex_unlock(struct mutex *mutex)
{
	assert(mutex->held);
	mutex->held = false;
}

/* --- counters -------------------------------------------------------------------- */

typedef struct {
	long n;
} atomic_long_t;

#define atomic_long_set(a, value) ((void)((a)->n = (long)(value)))
#define atomic_long_add(value, a) ((void)((a)->n += (long)(value)))
#define atomic_long_sub(value, a) ((void)((a)->n -= (long)(value)))
#define atomic_long_read(a) ((a)->n)

struct kref {
	unsigned int n;
};

static inline void kref_init(struct kref *ref)
{
	ref->n = 1;
}

static inline void kref_get(struct kref *ref)
{
	assert(ref->n);
	ref->n++;
}

static inline int kref_put(struct kref *ref, void (*release)(struct kref *ref))
{
	if (--ref->n)
		return 0;
	release(ref);
	return 1;
}

/* --- memory ---------------------------------------------------------------------- */

typedef unsigned int gfp_t;

#define GFP_KERNEL 0u
#define __GFP_NORETRY 1u /* may fail, and does: kernel_memory() */
#define __GFP_NOWARN 2u

/* Zeroed. */
void *kernel_memory(size_t size, gfp_t flags);

#define kvzalloc(size, flags) kernel_memory(size, flags)
#define kvcalloc(n, size, flags) kernel_memory((size_t)(n) * (size), flags)

static inline void kvfree(void *memory)
{
	might_sleep();
	free(memory);
}

static inline void strscpy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

#endif
