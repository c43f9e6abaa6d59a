/* A disk that fails: each sync of a file is an error as long as a certain file exists.

   Loaded with LD_PRELOAD; see tests/faults/test_sync.py.

     FAILING_SYNC        the file: while it exists, syncs fail with EIO. Where it says "drop", the
                         last 64 bytes of the synced file are zeroed, too: as where a file system
                         drops the pages that it could not write, and old blocks show again.
     FAILING_SYNC_PATHS  only files count whose path begins so. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void drop(const char *link) {
    static const char zeros[64];
    struct stat status;
    int file = open(link, O_WRONLY); /* anew: a descriptor with O_APPEND minds no offset */
    if (file < 0) return;
    if (fstat(file, &status) == 0 && status.st_size >= (off_t)sizeof zeros)
        if (pwrite(file, zeros, sizeof zeros, status.st_size - (off_t)sizeof zeros) < 0) perror("pwrite");
    close(file);
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
    if (size >= 4 && strncmp(text, "drop", 4) == 0) drop(link);
    return 1;
}

int fsync(int descriptor) {
    if (is_failing(descriptor)) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
}
