// SPDX-License-Identifier: Apache-2.0
#ifndef COLDVAULT_CLZ4_SHIM_H
#define COLDVAULT_CLZ4_SHIM_H
#include <lz4.h>
#endif
