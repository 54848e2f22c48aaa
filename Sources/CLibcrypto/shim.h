// SPDX-License-Identifier: Apache-2.0
#ifndef COLDVAULT_CLIBCRYPTO_SHIM_H
#define COLDVAULT_CLIBCRYPTO_SHIM_H
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#endif
