/* Prints the addresses of a name by the C library's own resolver, or the resolver's error. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

int main(int count, char **words) {
  struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found;
  int error = getaddrinfo(words[1], NULL, &wanted, &found);
  if (error) return puts(gai_strerror(error)), 1;
  for (; found; found = found->ai_next) {
    char text[INET6_ADDRSTRLEN];
    void *address = found->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)found->ai_addr)->sin_addr
                                                : (void *)&((struct sockaddr_in6 *)found->ai_addr)->sin6_addr;
    puts(inet_ntop(found->ai_family, address, text, sizeof text));
  }
}
