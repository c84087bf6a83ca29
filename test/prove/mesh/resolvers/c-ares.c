/* Prints the addresses of a name by c-ares, or its error. */
#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/select.h>

static int failed;

static void print(void *_, int status, int timeouts, struct ares_addrinfo *found) {
  failed = status != ARES_SUCCESS;
  if (failed) puts(ares_strerror(status));
  for (struct ares_addrinfo_node *node = found ? found->nodes : NULL; node; node = node->ai_next) {
    char text[INET6_ADDRSTRLEN];
    void *address = node->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)node->ai_addr)->sin_addr
                                               : (void *)&((struct sockaddr_in6 *)node->ai_addr)->sin6_addr;
    puts(inet_ntop(node->ai_family, address, text, sizeof text));
  }
}

int main(int count, char **words) {
  ares_channel channel;
  struct ares_addrinfo_hints wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  ares_library_init(ARES_LIB_INIT_ALL);
  if (ares_init(&channel) != ARES_SUCCESS) return 2;
  ares_getaddrinfo(channel, words[1], NULL, &wanted, print, NULL);
  for (;;) {
    fd_set readable, writable;
    struct timeval patience;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    int sockets = ares_fds(channel, &readable, &writable);
    if (sockets == 0) return failed;
    select(sockets, &readable, &writable, NULL, ares_timeout(channel, NULL, &patience));
    ares_process(channel, &readable, &writable);
  }
}
