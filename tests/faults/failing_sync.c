/* A disk that fails: each sync of a file is an error as long as a certain file exists.

   Loaded with LD_PRELOAD; see tests/faults/test_sync.py.

     FAILING_SYNC        the file: while it exists, syncs fail with EIO. Where it says "drop", only
                         those do that have something to write, and the last 64 bytes at most of
                         what was appended since the file was last synced are zeroed: as where a
                         file system drops the pages that it could not write, and old blocks show
                         again. What is on the disk already stays there.
     FAILING_SYNC_PATHS  only files count whose path begins so. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long the files were when they were last synced. */
enum { FILES = 64 };
static struct { dev_t device; ino_t inode; off_t size; } synced[FILES];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static off_t synced_size(const struct stat *status, off_t now) {
    off_t size = 0;
    pthread_mutex_lock(&mutex);
    for (int file = 0; file < FILES; file++) {
        if (synced[file].inode == 0 && now >= 0) {
            synced[file].device = status->st_dev;
            synced[file].inode = status->st_ino;
        }
        if (synced[file].device == status->st_dev && synced[file].inode == status->st_ino) {
            if (now >= 0) synced[file].size = now;
            size = synced[file].size;
            break;
        }
    }
    pthread_mutex_unlock(&mutex);
    return size;
}

/* Zero what is not synced, or the end of it; whether there is anything. */
static int drop(const char *link) {
    static const char zeros[64];
    struct stat status;
    int file = open(link, O_WRONLY); /* anew: a descriptor with O_APPEND minds no offset */
    if (file < 0) return 0;
    off_t size = fstat(file, &status) == 0 ? status.st_size - synced_size(&status, -1) : 0;
    if (size > (off_t)sizeof zeros) size = sizeof zeros;
    if (size > 0 && pwrite(file, zeros, size, status.st_size - size) < 0) perror("pwrite");
    close(file);
    return size > 0;
}

static int is_failing(int descriptor) {
    const char *said = getenv("FAILING_SYNC"), *under = getenv("FAILING_SYNC_PATHS");
    char link[64], path[PATH_MAX], text[8] = "";
    if (!said || !under) return 0;
    int file = open(said, O_RDONLY);
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, under, strlen(under)) != 0) return 0;
    return size >= 4 && strncmp(text, "drop", 4) == 0 ? drop(link) : 1;
}

int fsync(int descriptor) {
    if (is_failing(descriptor)) {
        errno = EIO;
        return -1;
    }
    struct stat before;
    int is_known = fstat(descriptor, &before) == 0 && S_ISREG(before.st_mode);
    int result = ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
    if (result == 0 && is_known) synced_size(&before, before.st_size);
    return result;
}
