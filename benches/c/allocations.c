/* Counts the allocations of a program that has this library in LD_PRELOAD, and adds the number to the file ALLOCATIONS at its
 * end. For glibc, whose own functions do the work. */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc (size_t);
extern void *__libc_calloc (size_t, size_t);
extern void *__libc_realloc (void *, size_t);
extern void *__libc_memalign (size_t, size_t);

static atomic_ulong count;

static void add (void)
{
    atomic_fetch_add_explicit (&count, 1, memory_order_relaxed);
}

void *malloc (size_t size)
{
    add ();
    return __libc_malloc (size);
}

void *calloc (size_t number, size_t size)
{
    add ();
    return __libc_calloc (number, size);
}

void *realloc (void *memory, size_t size)
{
    add ();
    return __libc_realloc (memory, size);
}

void *aligned_alloc (size_t alignment, size_t size)
{
    add ();
    return __libc_memalign (alignment, size);
}

void *memalign (size_t alignment, size_t size)
{
    return aligned_alloc (alignment, size);
}

int posix_memalign (void **memory, size_t alignment, size_t size)
{
    *memory = aligned_alloc (alignment, size);
    return *memory ? 0 : ENOMEM;
}

__attribute__ ((destructor)) static void report (void)
{
    const char *path = getenv ("ALLOCATIONS");
    char text[32];
    int file = path ? open (path, O_WRONLY | O_APPEND | O_CREAT, 0644) : -1;
    if (file < 0)
        return;
    int length = snprintf (text, sizeof text, "%lu\n", atomic_load (&count));
    if (write (file, text, (size_t) length) != length)
        _exit (1);
    close (file);
}
