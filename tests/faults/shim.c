/* Faults at the system calls of a run: counts those that change a file, and at one kills or fails.

   Built and used by tests/faults/shim.py. By hand:

     gcc -shared -fPIC -O2 -Wall -Wextra -Werror -o shim.so tests/faults/shim.c -ldl -pthread
     LD_PRELOAD=$PWD/shim.so FAULT_PATHS=/tmp/x/:/dev/shm/fastingest- FAULT_LOG=/tmp/log \
     FAULT_STATE=/tmp/state FAULT_PLAN=writer:EIO@17+5 fastingest --out /tmp/x/out.csv …

   Theory of operation. It is loaded before the C library (LD_PRELOAD) and has its own functions of
   the same names, which are what Python and its extensions call. A call counts if it changes a file
   (or opens one so that it can, or maps one shared for writing) whose path begins with one of
   FAULT_PATHS. A path that is relative, or that of a descriptor, is asked of /proc at each call, so
   that nothing has to be known of dup, of descriptors that came over a socket, or of renames.

   The counts are in a file that all processes of a run map (FAULT_STATE; see `struct state`), and
   count with one atomic instruction: the number of a call is its own over all processes and threads.
   Each call has two numbers: among all calls, and among those of its process's role. A role is what
   /proc/self/comm says, which fastingest.runtime.process_setup.show_name has written there: `receiver`, `writer`;
   anything else is the `supervisor`.

   The environment:

     FAULT_PATHS   prefixes of paths, with colons between them; nothing counts without it
     FAULT_PLAN    what shall happen, with commas: [role:]action[/call]@number[+times]
     FAULT_STATE   a file of at least sizeof(struct state) zeroes; without it a process counts with
                   those that it forks, and starts at zero
     FAULT_LOG     a file that gets a line for each fault, of six fields with tabs between them:
                   number, number in the role, role, action (`-` for none), call, path
     FAULT_TRACE   if set, each call that counts gets its line

   An action happens at the first call that it fits from `number` on, and at the next ones, `times`
   in all (once). Without a role, the number is the one among all calls. A call's name leaves only
   those calls that begin with it: `fsync`, `pwrite`.

     kill          SIGKILL to the process, before the call
     after         SIGKILL to the process, after the call
     group         SIGKILL to its process group, before the call; for a run that has one of its own
     tear          half of a write, then SIGKILL to the process
     short         half of a write; the call returns how much that was
     slow          20 ms of sleep before the call
     EIO, ENOSPC, EDQUOT, EROFS, EINTR, EMFILE
                   the call is not made, and fails with that; only where the manual (or what Linux's
                   file systems do) has it for such a call, see `fits`

   A test that forks many children arms it anew in each: shim_arm, shim_pause, shim_count.

   It is for glibc, on machines with 64-bit offsets (x86-64, aarch64): there the functions with 64 in
   their names are the same as those without. What the C library calls inside of itself (fopen) is
   not seen. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "offsets of 64 bits");

#define PLANS 8
#define SLOW_NS 20000000

enum role { ANY, SUPERVISOR, RECEIVER, WRITER, ROLES };
static const char *const role_names[ROLES] = {"any", "supervisor", "receiver", "writer"};

/* What a call does to a file. */
enum kind { OPEN, CREATE, WRITE, TRUNCATE, SYNC, NAME, UNLINK, ALLOCATE, MAP };

enum action { KILL, AFTER, GROUP, TEAR, SHORT, SLOW, FAIL };

static const struct { const char *name; enum action action; int error; } actions[] = {
    {"kill", KILL, 0},           {"after", AFTER, 0},         {"group", GROUP, 0},
    {"tear", TEAR, 0},           {"short", SHORT, 0},         {"slow", SLOW, 0},
    {"EIO", FAIL, EIO},          {"ENOSPC", FAIL, ENOSPC},    {"EDQUOT", FAIL, EDQUOT},
    {"EROFS", FAIL, EROFS},      {"EINTR", FAIL, EINTR},      {"EMFILE", FAIL, EMFILE},
};

struct plan {
    enum role role;
    const char *name;
    enum action action;
    int error;
    char call[32]; /* what its name begins with; empty: any */
    uint64_t at, times;
};

/* Shared by all processes of a run; all little-endian on these machines. */
struct state {
    _Atomic uint64_t counts[ROLES]; /* calls: all, then those of each role */
    _Atomic uint64_t done[PLANS];   /* times that each action has happened */
};

static struct state *state;
static struct plan plans[PLANS];
static int plan_count;
static char paths[4096];
static char log_path[PATH_MAX];
static int traces, paused;

static void complain(const char *what, const char *text) {
    dprintf(STDERR_FILENO, "shim: %s: %s\n", what, text);
    _exit(70);
}

static void read_plan(char *text) {
    plan_count = 0;
    char *rest = NULL;
    for (char *item = strtok_r(text, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        struct plan plan = {.role = ANY, .times = 1};
        char *name = item, *colon = strchr(item, ':'), *at = strchr(item, '@');
        char *slash = strchr(item, '/');
        if (plan_count == PLANS || !at)
            complain("bad plan", item);
        *at++ = 0;
        if (colon) {
            *colon = 0;
            name = colon + 1;
            for (plan.role = SUPERVISOR; plan.role < ROLES; plan.role++)
                if (!strcmp(item, role_names[plan.role]))
                    break;
            if (plan.role == ROLES)
                complain("no such role", item);
        }
        if (slash && slash < at) {
            *slash = 0;
            snprintf(plan.call, sizeof plan.call, "%s", slash + 1);
        }
        for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
            if (!strcmp(name, actions[i].name)) {
                plan.name = actions[i].name;
                plan.action = actions[i].action;
                plan.error = actions[i].error;
            }
        char *end;
        plan.at = strtoull(at, &end, 10);
        if (*end == '+')
            plan.times = strtoull(end + 1, &end, 10);
        if (!plan.name || !plan.at || *end)
            complain("bad plan", name);
        plans[plan_count++] = plan;
    }
}

static void *map_state(const char *path) {
    int file = -1, flags = MAP_SHARED | MAP_ANONYMOUS;
    if (path) {
        flags = MAP_SHARED;
        file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
        if (file < 0)
            complain("FAULT_STATE", path);
    }
    void *mapped = (void *)syscall(SYS_mmap, NULL, sizeof(struct state),
                                   PROT_READ | PROT_WRITE, flags, file, 0);
    if (mapped == MAP_FAILED)
        complain("cannot map", path ? path : "memory");
    if (file >= 0)
        syscall(SYS_close, file);
    return mapped;
}

/* Take what follows instead of what the environment says, and begin to count at zero. */
void shim_arm(const char *new_paths, const char *new_plan, const char *new_log, int new_traces) {
    char text[1024];
    snprintf(text, sizeof text, "%s", new_plan);
    snprintf(paths, sizeof paths, "%s", new_paths);
    snprintf(log_path, sizeof log_path, "%s", new_log);
    traces = new_traces;
    memset((void *)state, 0, sizeof *state);
    read_plan(text);
}

/* Let calls pass, and do not count them, until it is called with 0. */
void shim_pause(int yes) { paused = yes; }

/* Calls so far, of all roles, of this process and those that share its state. */
uint64_t shim_count(void) { return atomic_load(&state->counts[ANY]); }

__attribute__((constructor)) static void begin(void) {
    const char *plan = getenv("FAULT_PLAN"), *where = getenv("FAULT_PATHS");
    const char *log = getenv("FAULT_LOG"), *file = getenv("FAULT_STATE");
    char text[1024];
    state = map_state(file && *file ? file : NULL);
    snprintf(text, sizeof text, "%s", plan ? plan : "");
    snprintf(paths, sizeof paths, "%s", where ? where : "");
    snprintf(log_path, sizeof log_path, "%s", log ? log : "");
    traces = getenv("FAULT_TRACE") != NULL;
    read_plan(text);
}

/* Which path a call is about. All of it leaves errno as it was. */

static int is_of_interest(const char *path) {
    for (const char *at = paths; *at;) {
        size_t size = strcspn(at, ":");
        if (size && !strncmp(path, at, size))
            return 1;
        at += size + (at[size] == ':');
    }
    return 0;
}

static int path_of(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (size <= 0)
        return 0;
    path[size] = 0;
    return path[0] == '/'; /* otherwise a pipe, a socket, … */
}

static int path_at(int directory, const char *name, char *path) {
    if (!name)
        return 0;
    if (name[0] == '/')
        return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    char base[PATH_MAX];
    if (directory == AT_FDCWD) {
        if (syscall(SYS_getcwd, base, sizeof base) <= 0)
            return 0;
    } else if (!path_of(directory, base)) {
        return 0;
    }
    return snprintf(path, PATH_MAX, "%s/%s", base, name) < PATH_MAX;
}

static enum role role_now(void) {
    char name[32] = "";
    int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/comm", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return SUPERVISOR;
    long size = syscall(SYS_read, file, name, sizeof name - 1);
    syscall(SYS_close, file);
    name[size > 0 ? strcspn(name, "\n") : 0] = 0;
    for (enum role role = RECEIVER; role < ROLES; role++)
        if (!strncmp(name, "fi:", 3) && !strcmp(name + 3, role_names[role]))
            return role;
    return SUPERVISOR;
}

/* What happens at a call. */

static int fits(const struct plan *plan, enum kind kind, size_t size) {
    if (plan->action == TEAR || plan->action == SHORT)
        return kind == WRITE && size > 1;
    switch (plan->error) {
    case ENOSPC:
    case EDQUOT:
        return kind != OPEN && kind != UNLINK && kind != MAP;
    case EROFS:
        return kind != SYNC && kind != MAP;
    case EINTR:
        return kind != NAME && kind != UNLINK && kind != MAP;
    case EMFILE:
        return kind == OPEN || kind == CREATE;
    default:
        return 1;
    }
}

static void die(int group) {
    syscall(SYS_kill, group ? 0 : getpid(), SIGKILL);
    for (;;)
        pause();
}

static void note(uint64_t number, uint64_t own, enum role role, const char *action,
                 const char *call, const char *path) {
    char line[2 * PATH_MAX + 256];
    int size = snprintf(line, sizeof line, "%llu\t%llu\t%s\t%s\t%s\t%s\n",
                        (unsigned long long)number, (unsigned long long)own, role_names[role],
                        action, call, path);
    int file = (int)syscall(SYS_openat, AT_FDCWD, log_path,
                            O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0)
        return;
    if (syscall(SYS_write, file, line, (size_t)size) < 0)
        complain("cannot write", log_path);
    syscall(SYS_close, file);
}

/* The verdict on a call. */
struct verdict {
    int error;       /* to fail with instead of making it; 0: make it */
    int dies;        /* the process does, after it */
    size_t size;     /* of a write, no more than so many bytes */
};

static struct verdict judge(enum kind kind, const char *call, const char *path, size_t size) {
    struct verdict verdict = {0, 0, size};
    int before = errno;
    if (!state || paused || !is_of_interest(path)) {
        errno = before;
        return verdict;
    }
    enum role role = role_now();
    uint64_t number = atomic_fetch_add(&state->counts[ANY], 1) + 1;
    uint64_t own = atomic_fetch_add(&state->counts[role], 1) + 1;
    const struct plan *found = NULL;
    int slow = 0;
    for (int i = 0; i < plan_count; i++) {
        const struct plan *plan = &plans[i];
        if (plan->role != ANY && plan->role != role)
            continue;
        if ((plan->role == ANY ? number : own) < plan->at || !fits(plan, kind, size))
            continue;
        if (strncmp(call, plan->call, strlen(plan->call)))
            continue;
        if (plan->action != SLOW && found) /* one at a time; this one is for a later call */
            continue;
        if (atomic_fetch_add(&state->done[i], 1) >= plan->times)
            continue;
        if (plan->action == SLOW)
            slow = 1;
        else
            found = plan;
    }
    if (log_path[0] && (found || traces))
        note(number, own, role, found ? found->name : "-", call, path);
    if (slow)
        nanosleep(&(struct timespec){0, SLOW_NS}, NULL);
    if (found) {
        if (found->action == KILL || found->action == GROUP)
            die(found->action == GROUP);
        verdict.error = found->error;
        verdict.dies = found->action == AFTER || found->action == TEAR;
        if (found->action == TEAR || found->action == SHORT)
            verdict.size = size / 2;
    }
    errno = before;
    return verdict;
}

static struct verdict judge_descriptor(enum kind kind, const char *call, int descriptor,
                                       size_t size) {
    char path[PATH_MAX];
    int before = errno, known = path_of(descriptor, path);
    errno = before;
    return known ? judge(kind, call, path, size) : (struct verdict){0, 0, size};
}

static struct verdict judge_name(enum kind kind, const char *call, int directory,
                                 const char *name) {
    char path[PATH_MAX];
    int before = errno, known = path_at(directory, name, path);
    errno = before;
    return known ? judge(kind, call, path, 0) : (struct verdict){0, 0, 0};
}

/* The functions. REAL is the next one of the name: the C library's. */

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
        *(void **)&real = dlsym(RTLD_NEXT, #name)

/* Make the call, unless it shall fail with `failed`. */
#define MAKE(type, verdict, failed, call) \
    do { \
        if ((verdict).error) { \
            errno = (verdict).error; \
            return failed; \
        } \
        type result = call; \
        if ((verdict).dies) \
            die(0); \
        return result; \
    } while (0)

/* A shorter list of pieces: no more than `size` bytes. */
static int shortened(struct iovec *into, const struct iovec *from, int count, size_t size) {
    int used = 0;
    while (used < count && size) {
        into[used] = from[used];
        if (into[used].iov_len > size)
            into[used].iov_len = size;
        size -= into[used++].iov_len;
    }
    return used;
}

static size_t total(const struct iovec *pieces, int count) {
    size_t size = 0;
    for (int i = 0; i < count && i < IOV_MAX; i++)
        size += pieces[i].iov_len;
    return size;
}

static int changes(int flags) {
    return (flags & (O_CREAT | O_TRUNC)) || (flags & O_ACCMODE) != O_RDONLY;
}

static struct verdict judge_open(const char *call, int directory, const char *name, int flags) {
    if (!changes(flags))
        return (struct verdict){0, 0, 0};
    return judge_name(flags & O_CREAT ? CREATE : OPEN, call, directory, name);
}

#define MODE(last) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list list; \
        va_start(list, last); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

#define OPEN_FUNCTION(name) \
    int name(const char *path, int flags, ...) { \
        MODE(flags) \
        REAL(name); \
        struct verdict verdict = judge_open(#name, AT_FDCWD, path, flags); \
        MAKE(int, verdict, -1, real(path, flags, mode)); \
    }
OPEN_FUNCTION(open)
OPEN_FUNCTION(open64)

#define OPENAT_FUNCTION(name) \
    int name(int directory, const char *path, int flags, ...) { \
        MODE(flags) \
        REAL(name); \
        struct verdict verdict = judge_open(#name, directory, path, flags); \
        MAKE(int, verdict, -1, real(directory, path, flags, mode)); \
    }
OPENAT_FUNCTION(openat)
OPENAT_FUNCTION(openat64)

/* What fortified programs call where there is no mode. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open64(path, flags); }
int __openat_2(int directory, const char *path, int flags) {
    return openat(directory, path, flags);
}
int __openat64_2(int directory, const char *path, int flags) {
    return openat64(directory, path, flags);
}

#define CREAT_FUNCTION(name) \
    int name(const char *path, mode_t mode) { \
        REAL(name); \
        struct verdict verdict = judge_name(CREATE, #name, AT_FDCWD, path); \
        MAKE(int, verdict, -1, real(path, mode)); \
    }
CREAT_FUNCTION(creat)
CREAT_FUNCTION(creat64)

ssize_t write(int file, const void *data, size_t size) {
    REAL(write);
    struct verdict verdict = judge_descriptor(WRITE, "write", file, size);
    MAKE(ssize_t, verdict, -1, real(file, data, verdict.size));
}

#define PWRITE_FUNCTION(name) \
    ssize_t name(int file, const void *data, size_t size, off_t offset) { \
        REAL(name); \
        struct verdict verdict = judge_descriptor(WRITE, #name, file, size); \
        MAKE(ssize_t, verdict, -1, real(file, data, verdict.size, offset)); \
    }
PWRITE_FUNCTION(pwrite)
PWRITE_FUNCTION(pwrite64)

/* `given` is what comes behind the pieces. */
#define WRITEV_BODY(name, given) \
    REAL(name); \
    size_t size = total(pieces, count); \
    struct verdict verdict = judge_descriptor(WRITE, #name, file, size); \
    if (verdict.size < size && count <= IOV_MAX) { \
        struct iovec fewer[IOV_MAX]; \
        int used = shortened(fewer, pieces, count, verdict.size); \
        pieces = fewer; \
        count = used; \
        MAKE(ssize_t, verdict, -1, real given); \
    } \
    MAKE(ssize_t, verdict, -1, real given)

ssize_t writev(int file, const struct iovec *pieces, int count) {
    WRITEV_BODY(writev, (file, pieces, count));
}

#define PWRITEV_FUNCTION(name) \
    ssize_t name(int file, const struct iovec *pieces, int count, off_t offset) { \
        WRITEV_BODY(name, (file, pieces, count, offset)); \
    }
PWRITEV_FUNCTION(pwritev)
PWRITEV_FUNCTION(pwritev64)

#define PWRITEV2_FUNCTION(name) \
    ssize_t name(int file, const struct iovec *pieces, int count, off_t offset, int flags) { \
        WRITEV_BODY(name, (file, pieces, count, offset, flags)); \
    }
PWRITEV2_FUNCTION(pwritev2)
PWRITEV2_FUNCTION(pwritev64v2)

ssize_t copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t size,
                        unsigned flags) {
    REAL(copy_file_range);
    struct verdict verdict = judge_descriptor(WRITE, "copy_file_range", to, size);
    MAKE(ssize_t, verdict, -1, real(from, from_offset, to, to_offset, verdict.size, flags));
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size);
ssize_t sendfile64(int to, int from, off_t *offset, size_t size);
#define SENDFILE_FUNCTION(name) \
    ssize_t name(int to, int from, off_t *offset, size_t size) { \
        REAL(name); \
        struct verdict verdict = judge_descriptor(WRITE, #name, to, size); \
        MAKE(ssize_t, verdict, -1, real(to, from, offset, verdict.size)); \
    }
SENDFILE_FUNCTION(sendfile)
SENDFILE_FUNCTION(sendfile64)

#define FTRUNCATE_FUNCTION(name) \
    int name(int file, off_t size) { \
        REAL(name); \
        struct verdict verdict = judge_descriptor(TRUNCATE, #name, file, 0); \
        MAKE(int, verdict, -1, real(file, size)); \
    }
FTRUNCATE_FUNCTION(ftruncate)
FTRUNCATE_FUNCTION(ftruncate64)

#define TRUNCATE_FUNCTION(name) \
    int name(const char *path, off_t size) { \
        REAL(name); \
        struct verdict verdict = judge_name(TRUNCATE, #name, AT_FDCWD, path); \
        MAKE(int, verdict, -1, real(path, size)); \
    }
TRUNCATE_FUNCTION(truncate)
TRUNCATE_FUNCTION(truncate64)

#define SYNC_FUNCTION(name) \
    int name(int file) { \
        REAL(name); \
        struct verdict verdict = judge_descriptor(SYNC, #name, file, 0); \
        MAKE(int, verdict, -1, real(file)); \
    }
SYNC_FUNCTION(fsync)
SYNC_FUNCTION(fdatasync)

int sync_file_range(int file, off_t offset, off_t size, unsigned flags) {
    REAL(sync_file_range);
    struct verdict verdict = judge_descriptor(SYNC, "sync_file_range", file, 0);
    MAKE(int, verdict, -1, real(file, offset, size, flags));
}

/* It returns the error, and leaves errno alone. */
#define POSIX_FALLOCATE_FUNCTION(name) \
    int name(int file, off_t offset, off_t size) { \
        REAL(name); \
        struct verdict verdict = judge_descriptor(ALLOCATE, #name, file, 0); \
        if (verdict.error) \
            return verdict.error; \
        MAKE(int, verdict, -1, real(file, offset, size)); \
    }
POSIX_FALLOCATE_FUNCTION(posix_fallocate)
POSIX_FALLOCATE_FUNCTION(posix_fallocate64)

#define FALLOCATE_FUNCTION(name) \
    int name(int file, int mode, off_t offset, off_t size) { \
        REAL(name); \
        struct verdict verdict = judge_descriptor(ALLOCATE, #name, file, 0); \
        MAKE(int, verdict, -1, real(file, mode, offset, size)); \
    }
FALLOCATE_FUNCTION(fallocate)
FALLOCATE_FUNCTION(fallocate64)

int rename(const char *from, const char *to) {
    REAL(rename);
    struct verdict verdict = judge_name(NAME, "rename", AT_FDCWD, from);
    MAKE(int, verdict, -1, real(from, to));
}

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
    REAL(renameat);
    struct verdict verdict = judge_name(NAME, "renameat", from_directory, from);
    MAKE(int, verdict, -1, real(from_directory, from, to_directory, to));
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to,
              unsigned flags) {
    REAL(renameat2);
    struct verdict verdict = judge_name(NAME, "renameat2", from_directory, from);
    MAKE(int, verdict, -1, real(from_directory, from, to_directory, to, flags));
}

int link(const char *from, const char *to) {
    REAL(link);
    struct verdict verdict = judge_name(NAME, "link", AT_FDCWD, to);
    MAKE(int, verdict, -1, real(from, to));
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags) {
    REAL(linkat);
    struct verdict verdict = judge_name(NAME, "linkat", to_directory, to);
    MAKE(int, verdict, -1, real(from_directory, from, to_directory, to, flags));
}

int symlink(const char *target, const char *name) {
    REAL(symlink);
    struct verdict verdict = judge_name(NAME, "symlink", AT_FDCWD, name);
    MAKE(int, verdict, -1, real(target, name));
}

int symlinkat(const char *target, int directory, const char *name) {
    REAL(symlinkat);
    struct verdict verdict = judge_name(NAME, "symlinkat", directory, name);
    MAKE(int, verdict, -1, real(target, directory, name));
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    struct verdict verdict = judge_name(NAME, "mkdir", AT_FDCWD, path);
    MAKE(int, verdict, -1, real(path, mode));
}

int mkdirat(int directory, const char *path, mode_t mode) {
    REAL(mkdirat);
    struct verdict verdict = judge_name(NAME, "mkdirat", directory, path);
    MAKE(int, verdict, -1, real(directory, path, mode));
}

int unlink(const char *path) {
    REAL(unlink);
    struct verdict verdict = judge_name(UNLINK, "unlink", AT_FDCWD, path);
    MAKE(int, verdict, -1, real(path));
}

int unlinkat(int directory, const char *path, int flags) {
    REAL(unlinkat);
    struct verdict verdict = judge_name(UNLINK, "unlinkat", directory, path);
    MAKE(int, verdict, -1, real(directory, path, flags));
}

int rmdir(const char *path) {
    REAL(rmdir);
    struct verdict verdict = judge_name(UNLINK, "rmdir", AT_FDCWD, path);
    MAKE(int, verdict, -1, real(path));
}

#define MMAP_FUNCTION(name) \
    void *name(void *address, size_t size, int protection, int flags, int file, off_t offset) { \
        REAL(name); \
        struct verdict verdict = {0, 0, 0}; \
        int shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE; \
        if (shared && (protection & PROT_WRITE) && file >= 0) \
            verdict = judge_descriptor(MAP, #name, file, 0); \
        MAKE(void *, verdict, MAP_FAILED, real(address, size, protection, flags, file, offset)); \
    }
MMAP_FUNCTION(mmap)
MMAP_FUNCTION(mmap64)
