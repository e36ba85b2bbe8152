/* Preloaded into a server under test: a wall clock that can be stepped and a disk that can be slow, for one process.
 *
 * The file named by $BOTELLIER_SHIM holds three 64-bit numbers that may change at any time: nanoseconds that are added to
 * CLOCK_REALTIME, and the microseconds by which a sync and a write to a regular file are delayed. Monotonic clocks are
 * left alone: they can't be stepped in the world either. Deliberately absent: failing calls, which other means provide.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *control;
static int (*real_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  real_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  const char *path = getenv("BOTELLIER_SHIM");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *map = mmap(NULL, 24, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (map != MAP_FAILED) control = map;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (!real_clock) real_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real_clock(clock, time);
  if (result == 0 && clock == CLOCK_REALTIME && control && control[0]) {
    int64_t nanos = time->tv_nsec + control[0] % 1000000000;
    time->tv_sec += control[0] / 1000000000;
    if (nanos < 0) nanos += 1000000000, time->tv_sec--;
    if (nanos >= 1000000000) nanos -= 1000000000, time->tv_sec++;
    time->tv_nsec = nanos;
  }
  return result;
}

static void delay(int64_t micros) {
  struct timespec time = {micros / 1000000, micros % 1000000 * 1000};
  nanosleep(&time, NULL);
}

static void before_sync(void) {
  if (control && control[1] > 0) delay(control[1]);
}

static void before_write(int file) {
  struct stat status;
  if (control && control[2] > 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode)) delay(control[2]);
}

#define REAL(type, name, ...)                                     \
  static type (*real)(__VA_ARGS__);                               \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

int fsync(int file) {
  REAL(int, "fsync", int);
  before_sync();
  return real(file);
}

int fdatasync(int file) {
  REAL(int, "fdatasync", int);
  before_sync();
  return real(file);
}

ssize_t write(int file, const void *bytes, size_t count) {
  REAL(ssize_t, "write", int, const void *, size_t);
  before_write(file);
  return real(file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  before_write(file);
  return real(file, parts, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  before_write(file);
  return real(file, bytes, count, offset);
}
