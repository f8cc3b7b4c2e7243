/* SPDX-License-Identifier: MIT */
/*
 * crc64_fold.h - the processor's part of crc64.c
 *
 * Multiplication without carries folds a polynomial of many bits into one of 128
 * bits that has the same remainder: "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ Instruction", Gopal and others, Intel 2009.
 */
#ifndef LIB_CRC64_FOLD_H
#define LIB_CRC64_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRC64_POLY 0x9A6C9329AC4BC9B5ull /* 0xAD93D23594C93659, bits reversed */

#define CRC64_FOLD_STEP 64 /* bytes */

/* Whether this processor can, and is quick at it.  To be called once, before
 * crc64_fold(). */
bool crc64_fold_init(void);

/* @rest: 16 bytes that take a register of 0 to where @buf takes @state, the
 * register before it.  @len: a multiple of CRC64_FOLD_STEP, and not 0. */
void crc64_fold(uint64_t state, const unsigned char *buf, size_t len, unsigned char rest[16]);

#endif
