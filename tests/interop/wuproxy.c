// Peer of wuserver.rs and wuclient.rs: wuproxy FRONTEND BACKEND. Connects an XSUB, binds an XPUB and lets zmq_proxy
// carry updates one way and subscriptions the other, until it is killed.

#define PROGRAM "wuproxy.c"
#include "frames.h"

int main(int argc, char **argv)
{
    check(argc == 3, "arguments");
    void *context = zmq_ctx_new();
    void *frontend = zmq_socket(context, ZMQ_XSUB);
    void *backend = zmq_socket(context, ZMQ_XPUB);
    check(zmq_connect(frontend, argv[1]) == 0, "connect");
    check(zmq_bind(backend, argv[2]) == 0, "bind");
    zmq_proxy(frontend, backend, NULL);
    check(0, "proxy");
}
