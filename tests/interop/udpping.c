// Peer of udpping1.rs to udpping3.rs: udpping MODEL BROADCAST PORT. Sends a beacon every 20 ms: the byte ! in the models 1 and 2,
// 16 bytes CC in model 3. Prints each other beacon of its model once: a line for all bytes !, and the id in hexadecimal digits. A
// datagram of any other form ends it with status 1. It runs until it is killed.

#define PROGRAM "udpping.c"
#include "frames.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    check(argc == 4, "arguments");
    int model = atoi(argv[1]), on = 1;
    size_t size = model == 3 ? 16 : 1;
    unsigned char own[16], last[16] = {0}, datagram[64];
    memset(own, model == 3 ? 0xCC : '!', sizeof own);

    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    check(fd >= 0, "socket");
    check(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0, "SO_BROADCAST");
    check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0, "SO_REUSEADDR");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short) atoi(argv[3]))};
    check(bind(fd, (struct sockaddr *) &address, sizeof address) == 0, "bind");
    check(inet_pton(AF_INET, argv[2], &address.sin_addr) == 1, "address");
    puts("ready");
    fflush(stdout);

    for (long next = now_ms();;) {
        struct pollfd item = {fd, POLLIN, 0};
        long left = next - now_ms();
        if (poll(&item, 1, left > 0 ? (int) left : 0) > 0) {
            check(recv(fd, datagram, sizeof datagram, 0) == (ssize_t) size, "size of a beacon");
            int is_own = memcmp(datagram, own, size) == 0;
            check(model == 3 || is_own, "beacon");
            if ((model == 3) != is_own && memcmp(datagram, last, size) != 0) {
                memcpy(last, datagram, size);
                for (size_t byte = 0; byte < size; byte++)
                    printf("%02X", datagram[byte]);
                putchar('\n');
                fflush(stdout);
            }
        }
        if (now_ms() >= next) {
            check(sendto(fd, own, size, 0, (struct sockaddr *) &address, sizeof address) == (ssize_t) size, "send");
            next = now_ms() + 20;
        }
    }
}
