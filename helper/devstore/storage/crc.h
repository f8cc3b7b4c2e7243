/* SPDX-License-Identifier: MIT */
/* crc.h - CRC32C (Castagnoli), by the processor's instruction where it has one */
#ifndef DEVSTORE_CRC_H
#define DEVSTORE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what @crc was the CRC of (0 for nothing) followed by @buf. */
uint32_t crc32c(uint32_t crc, const void *buf, size_t len);

/* The same without the instruction; for the test that compares them. */
uint32_t crc32c_portable(uint32_t crc, const void *buf, size_t len);

#endif
