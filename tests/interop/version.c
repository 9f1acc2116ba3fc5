// Peer of version.rs: prints the linked library's version in the same words.

#include <stdio.h>
#include <zmq.h>

int main(void)
{
    int numbers[3];
    zmq_version(&numbers[0], &numbers[1], &numbers[2]);
    printf("Current 0MQ version is %d.%d.%d\n", numbers[0], numbers[1], numbers[2]);
    return 0;
}
