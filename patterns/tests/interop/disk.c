// A disk that can be watched and that fails on command, for LD_PRELOAD. It is the directory that the variable DISK names.
//
// Each change of a file is a line of DISK.log, where a number is the inode of a file:
//
//     link NUMBER NAME    write NUMBER OFFSET HEX    cut NUMBER SIZE    rename FROM TO    remove NAME
//     sync NUMBER         sync PATH, of any directory
//
// A line of DISK.fail is the name of a call, an error number, and a number of bytes. The call fails; pwrite writes that many
// bytes before. The error number -1 ends the process after the call.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

static const char *disk(void)
{
    const char *path = getenv("DISK");
    return path ? path : "/nowhere";
}

// The name of a path in the disk, or NULL.
static const char *name_of(const char *path)
{
    size_t length = strlen(disk());
    return strncmp(path, disk(), length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

static void path_of(int file, char path[4096])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, 4095);
    path[size < 0 ? 0 : size] = 0;
}

static int is_on_disk(int file)
{
    char path[4096];
    path_of(file, path);
    return name_of(path) != NULL;
}

static unsigned long number_of(int file)
{
    struct stat found;
    return fstat(file, &found) == 0 ? found.st_ino : 0;
}

static void record(const char *format, ...)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.log", disk());
    char *line = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&line, format, arguments);
    va_end(arguments);
    int log = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0 || write(log, line, size) != size)
        abort();
    close(log);
    free(line);
}

// The error number of a call that must fail, or 0.
static int fault(const char *call, size_t *bytes)
{
    char path[4096], name[32];
    snprintf(path, sizeof path, "%s.fail", disk());
    FILE *faults = fopen(path, "r");
    int error, found = 0;
    size_t before;
    while (faults && fscanf(faults, "%31s %d %zu", name, &error, &before) == 3)
        if (strcmp(name, call) == 0) {
            found = error;
            *bytes = before;
        }
    if (faults)
        fclose(faults);
    return found;
}

static int fails(const char *call)
{
    size_t bytes;
    int error = fault(call, &bytes);
    errno = error > 0 ? error : errno;
    return error > 0;
}

static int open_recorded(const char *path, int flags, mode_t mode)
{
    int file = REAL(open)(path, flags, mode);
    const char *name = name_of(path);
    if (file >= 0 && name && flags & O_CREAT) {
        record("link %lu %s\n", number_of(file), name);
        if (flags & O_TRUNC)
            record("cut %lu 0\n", number_of(file));
    }
    return file;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_recorded(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_recorded(path, flags, mode);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
    static _Thread_local int is_begun;
    if (!is_on_disk(file))
        return REAL(pwrite64)(file, data, size, offset);
    size_t bytes = 0;
    int error = fault("pwrite", &bytes);
    if (error > 0) {
        is_begun = bytes > 0 && !is_begun;
        if (!is_begun) {
            errno = error;
            return -1;
        }
        size = bytes < size ? bytes : size;
    }
    ssize_t written = REAL(pwrite64)(file, data, size, offset);
    if (written > 0) {
        char *text = malloc(2 * written + 1);
        for (ssize_t at = 0; at < written; at++)
            sprintf(text + 2 * at, "%02x", ((const unsigned char *) data)[at]);
        record("write %lu %lld %s\n", number_of(file), (long long) offset, text);
        free(text);
    }
    if (error < 0)
        _exit(9);
    return written;
}

int ftruncate64(int file, off64_t size)
{
    if (is_on_disk(file) && fails("ftruncate"))
        return -1;
    int result = REAL(ftruncate64)(file, size);
    if (result == 0 && is_on_disk(file))
        record("cut %lu %lld\n", number_of(file), (long long) size);
    return result;
}

static int synchronize(int file, const char *call)
{
    char path[4096];
    path_of(file, path);
    struct stat found;
    int is_directory = fstat(file, &found) == 0 && S_ISDIR(found.st_mode);
    if (!is_directory && !name_of(path))
        return REAL(fsync)(file);
    if (fails(is_directory ? "fsync-directory" : call))
        return -1;
    int result = REAL(fsync)(file);
    if (result == 0 && is_directory)
        record("sync %s\n", path);
    else if (result == 0)
        record("sync %lu\n", number_of(file));
    return result;
}

int fsync(int file)
{
    return synchronize(file, "fsync");
}

int fdatasync(int file)
{
    return synchronize(file, "fdatasync");
}

int rename(const char *from, const char *to)
{
    if (name_of(from) && fails("rename"))
        return -1;
    int result = REAL(rename)(from, to);
    if (result == 0 && name_of(from))
        record("rename %s %s\n", name_of(from), name_of(to));
    return result;
}

int unlink(const char *path)
{
    int result = REAL(unlink)(path);
    if (result == 0 && name_of(path))
        record("remove %s\n", name_of(path));
    return result;
}
