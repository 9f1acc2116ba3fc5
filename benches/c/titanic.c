/* The bare loop of a store that acknowledges each record by itself: titanic FILE SIZE MILLISECONDS appends records of SIZE bytes,
   waits for the disk after each by fdatasync, and prints how many a second those were. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void check (int ok, const char *call)
{
    if (!ok) {
        perror (call);
        exit (1);
    }
}

static double now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main (int argc, char **argv)
{
    check (argc == 4, "titanic FILE SIZE MILLISECONDS");
    size_t size = strtoul (argv[2], NULL, 10);
    double seconds = atof (argv[3]) / 1000;
    char *record = calloc (size, 1);
    int file = open (argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    check (file >= 0, "open");
    long count = 0;
    double start = now ();
    do {
        check (write (file, record, size) == (ssize_t) size, "write");
        check (fdatasync (file) == 0, "fdatasync");
        count++;
    } while (now () - start < seconds);
    printf ("%f\n", count / (now () - start));
    return 0;
}
