// SPDX-License-Identifier: Apache-2.0
//
// What the machine can do at best for the work that a vault cannot avoid, in CPU seconds per GiB:
//   primitives lz4 FILE          compress and inflate FILE in 1 MiB frames
//   primitives receive FILE MIB  receive MIB mebibytes over loopback and write them to FILE
//   primitives files DIR BYTES WRITTEN COUNT LIVE RATE
//                                receive COUNT times BYTES, at most RATE bytes a second, and write the first WRITTEN of them to a new file in
//                                DIR; the file LIVE files earlier goes: the memory behaviour of a service that stores what it receives
//   primitives send FILE         send FILE over loopback with sendfile
// Only the CPU of this process is counted; the peer is a forked child.

#include <arpa/inet.h>
#include <fcntl.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, BUFFER = 1 << 18 };

static void require(int condition, const char *what) {
    if (!condition) {
        perror(what);
        exit(1);
    }
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(const char *name, double seconds, double bytes) {
    printf("%s %.6f\n", name, seconds / (bytes / (1024.0 * MIB)));
}

static void lz4(const char *path) {
    int file = open(path, O_RDONLY);
    require(file >= 0, path);
    struct stat status;
    fstat(file, &status);
    size_t frames = status.st_size / MIB, packed_bytes = 0;
    char *input = malloc(frames * MIB), *inflated = malloc(MIB);
    int bound = LZ4_compressBound(MIB), *lengths = malloc(frames * sizeof(int));
    char *packed = malloc(frames * bound);
    require(read(file, input, frames * MIB) == (ssize_t)(frames * MIB), "read");
    memset(packed, 1, frames * bound);
    int rounds = 4;
    double begin = cpu_seconds();
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < frames; i++)
            lengths[i] = LZ4_compress_default(input + i * MIB, packed + i * bound, MIB, bound);
    report("compress", cpu_seconds() - begin, (double)rounds * frames * MIB);
    begin = cpu_seconds();
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < frames; i++)
            require(LZ4_decompress_safe(packed + i * bound, inflated, lengths[i], MIB) == MIB, "inflate");
    report("inflate", cpu_seconds() - begin, (double)rounds * frames * MIB);
    for (size_t i = 0; i < frames; i++) packed_bytes += lengths[i] <= MIB - MIB / 16 ? lengths[i] : MIB;
    printf("ratio %.4f\n", (double)packed_bytes / (frames * MIB));
}

// A connected pair over loopback TCP: the child gets `child`, this process gets the return value.
static int connection(int *child, pid_t *pid) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    require(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0, "listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    *pid = fork();
    if (*pid == 0) {
        *child = socket(AF_INET, SOCK_STREAM, 0);
        require(connect(*child, (struct sockaddr *)&address, length) == 0, "connect");
        return -1;
    }
    int accepted = accept(listener, NULL, NULL);
    require(accepted >= 0, "accept");
    return accepted;
}

static void receive(const char *path, long mebibytes) {
    int child = -1;
    pid_t pid;
    char *buffer = malloc(BUFFER);
    memset(buffer, 7, BUFFER);
    long total = mebibytes * MIB;
    int peer = connection(&child, &pid);
    if (pid == 0) {
        for (long sent = 0; sent < total;) {
            ssize_t count = write(child, buffer, BUFFER);
            if (count <= 0) _exit(1);
            sent += count;
        }
        _exit(0);
    }
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    require(file >= 0, path);
    double begin = cpu_seconds();
    long received = 0;
    for (ssize_t count; (count = read(peer, buffer, BUFFER)) > 0; received += count)
        require(write(file, buffer, count) == count, "write");
    report("receive", cpu_seconds() - begin, received);
    waitpid(pid, NULL, 0);
}

static double wall_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

// How a service meets memory: every file is new, so its pages may have to come from the host first. The peer keeps the pace, file by file.
static void receive_files(const char *folder, long bytes, long written, long count, long live, double rate) {
    int child = -1;
    pid_t pid;
    char *buffer = malloc(BUFFER), path[4096];
    memset(buffer, 7, BUFFER);
    int peer = connection(&child, &pid);
    if (pid == 0) {
        double begin = wall_seconds();
        for (long i = 0; i < count; i++) {
            double early = begin + (double)i * bytes / rate - wall_seconds();
            if (early > 0) usleep((useconds_t)(early * 1e6));
            for (long sent = 0; sent < bytes;) {
                ssize_t done = write(child, buffer, bytes - sent < BUFFER ? bytes - sent : BUFFER);
                if (done <= 0) _exit(1);
                sent += done;
            }
        }
        _exit(0);
    }
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    for (long i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%ld", folder, i);
        int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        require(file >= 0, path);
        for (long received = 0; received < bytes;) {
            ssize_t done = read(peer, buffer, bytes - received < BUFFER ? bytes - received : BUFFER);
            require(done > 0, "read");
            long take = written - received < done ? written - received : done;
            if (take > 0) require(write(file, buffer, take) == take, "write");
            received += done;
        }
        close(file);
        if (i >= live) {
            snprintf(path, sizeof path, "%s/%ld", folder, i - live);
            unlink(path);
        }
    }
    getrusage(RUSAGE_SELF, &after);
    double total = (double)bytes * count;
    report("user", after.ru_utime.tv_sec - before.ru_utime.tv_sec + (after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6, total);
    report("sys", after.ru_stime.tv_sec - before.ru_stime.tv_sec + (after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6, total);
    for (long i = count > live ? count - live : 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%ld", folder, i);
        unlink(path);
    }
    waitpid(pid, NULL, 0);
}

static void send_file(const char *path) {
    int child = -1;
    pid_t pid;
    int peer = connection(&child, &pid);
    if (pid == 0) {
        char *buffer = malloc(BUFFER);
        while (read(child, buffer, BUFFER) > 0) {}
        _exit(0);
    }
    int file = open(path, O_RDONLY);
    require(file >= 0, path);
    struct stat status;
    fstat(file, &status);
    double begin = cpu_seconds();
    for (off_t offset = 0; offset < status.st_size;)
        require(sendfile(peer, file, &offset, 1 << 22) > 0, "sendfile");
    report("send", cpu_seconds() - begin, status.st_size);
    close(peer);
    waitpid(pid, NULL, 0);
}

int main(int count, char **arguments) {
    if (count == 3 && !strcmp(arguments[1], "lz4")) lz4(arguments[2]);
    else if (count == 4 && !strcmp(arguments[1], "receive")) receive(arguments[2], atol(arguments[3]));
    else if (count == 8 && !strcmp(arguments[1], "files"))
        receive_files(
            arguments[2], atol(arguments[3]), atol(arguments[4]), atol(arguments[5]), atol(arguments[6]), atof(arguments[7]));
    else if (count == 3 && !strcmp(arguments[1], "send")) send_file(arguments[2]);
    else return fprintf(stderr, "usage: primitives lz4 FILE | receive FILE MIB | files DIR BYTES WRITTEN COUNT LIVE RATE | send FILE\n"), 2;
    return 0;
}
