/* SPDX-License-Identifier: MIT */
/*
 * report.h - what went wrong, chance, and time
 */
#ifndef STRESS_REPORT_H
#define STRESS_REPORT_H

#include <stdbool.h>
#include <stdint.h>

/* Longer than anything takes that does not hang, on an emulated machine with
 * every checker on. */
#define STUCK_SECONDS 90

/* Counts a failure, and prints "# TEXT"; of many only the first are shown.  In a
 * forked process, too: it is counted in memory that all share. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);
/* What the kernel lacks; the program ends with status 77. */
__attribute__((format(printf, 1, 2))) void skip_scenario(const char *format, ...);
bool skipped(void);
void report_init(void);
unsigned int complaints(void);

/* Ends the process, with status 1; when something hangs, after the kernel has told who
 * waits for what, in its log. */
__attribute__((format(printf, 1, 2), noreturn)) void give_up(const char *format, ...);
__attribute__((format(printf, 1, 2), noreturn)) void give_up_stuck(const char *format, ...);

struct chance {
	uint64_t state;
};

void chance_seed(struct chance *c, uint64_t seed);
/* 0 to @n - 1 */
uint32_t chance(struct chance *c, uint32_t n);
/* once in @n times */
bool one_in(struct chance *c, uint32_t n);

/* Nanoseconds of CLOCK_BOOTTIME, the clock of deadlines. */
uint64_t now_ns(void);
void sleep_ms(unsigned int ms);

#define MS(n) ((uint64_t)(n)*1000000)
#define SECONDS(n) MS((n)*1000ull)

#endif
