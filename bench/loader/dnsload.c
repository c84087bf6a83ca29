/*
 * A UDP load generator for what dnsperf cannot do: a new source port for every query, and latencies of a paced load.
 *
 *   dnsload ADDRESS PORT SECONDS SLOTS RATE MODE NAMES [FIRST]
 *
 * SLOTS queries are in flight at most, each on a socket of its own; RATE is queries a second, 0 for as fast as answers
 * come. MODE is `reuse` (a slot keeps its socket) or `new` (a slot takes a new socket, and so a new port, for every
 * query). Names are n0.hit.bench. to n(NAMES-1).hit.bench., in turn; with NAMES 0 every name is new:
 * n(FIRST).miss.bench. and up. Prints one line of JSON: sent, answered, lost, seconds, p50_us, p99_us.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TIMEOUT_US = 2000000, LONGEST_WAIT_US = 10000, BUCKETS = 200000 };

struct slot {
  int fd;
  int busy;
  uint16_t id;
  int64_t sent_at;
};

static struct sockaddr_in server;
static uint32_t names, next_name;
static uint64_t sent, answered, lost;
/* Latencies by 10 us up to 2 s. */
static uint32_t histogram[BUCKETS];

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static size_t build(uint8_t *out, uint16_t id) {
  static const uint8_t header[12] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  char label[16];
  const char *zone = names ? "\3hit\5bench" : "\4miss\5bench";
  size_t zone_size = strlen(zone) + 1, at = 12;
  uint32_t number = names ? next_name++ % names : next_name++;
  int label_size = snprintf(label, sizeof label, "n%u", number);
  memcpy(out, header, 12);
  out[0] = id >> 8;
  out[1] = id & 255;
  out[at++] = (uint8_t)label_size;
  memcpy(out + at, label, label_size);
  at += label_size;
  memcpy(out + at, zone, zone_size);
  at += zone_size;
  memcpy(out + at, "\0\1\0\1", 4);
  return at + 4;
}

static void open_socket(struct slot *slot, int epoll, uint32_t index) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
  slot->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (slot->fd < 0 || connect(slot->fd, (struct sockaddr *)&server, sizeof server) != 0 ||
      epoll_ctl(epoll, EPOLL_CTL_ADD, slot->fd, &event) != 0) {
    perror("socket");
    exit(1);
  }
}

static void ask(struct slot *slot, int epoll, uint32_t index) {
  uint8_t query[64];
  if (slot->fd < 0) open_socket(slot, epoll, index);
  slot->id++;
  size_t size = build(query, slot->id);
  slot->sent_at = now_us();
  slot->busy = 1;
  sent++;
  if (send(slot->fd, query, size, 0) < 0 && errno != ECONNREFUSED && errno != EAGAIN) {
    perror("send");
    exit(1);
  }
}

static void finish(struct slot *slot, int fresh, int64_t latency) {
  slot->busy = 0;
  if (latency >= 0) {
    int64_t bucket = latency / 10;
    histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    answered++;
  } else {
    lost++;
  }
  if (fresh || latency < 0) {
    close(slot->fd);
    slot->fd = -1;
  }
}

static double percentile(double share) {
  uint64_t wanted = (uint64_t)(answered * share), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += histogram[i];
    if (seen > wanted) return i * 10 + 5;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: %s ADDRESS PORT SECONDS SLOTS RATE new|reuse NAMES [FIRST]\n", argv[0]);
    return 2;
  }
  server.sin_family = AF_INET;
  server.sin_port = htons((uint16_t)atoi(argv[2]));
  if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) return 2;
  double seconds = atof(argv[3]);
  uint32_t slots = (uint32_t)atoi(argv[4]);
  double rate = atof(argv[5]);
  int fresh = strcmp(argv[6], "new") == 0;
  names = (uint32_t)strtoul(argv[7], NULL, 10);
  next_name = argc > 8 ? (uint32_t)strtoul(argv[8], NULL, 10) : 0;

  /* What shares this core is not to be measured as the server's latency; only root may. */
  if (rate > 0) sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  prctl(PR_SET_TIMERSLACK, 1);
  int epoll = epoll_create1(0);
  struct slot *all = calloc(slots, sizeof *all);
  for (uint32_t i = 0; i < slots; i++) all[i].fd = -1;
  int64_t start = now_us(), end = start + (int64_t)(seconds * 1e6), swept = start;
  uint32_t free_from = 0;
  int running = 1;
  while (running) {
    int64_t now = now_us();
    int open = now < end;
    if (open) {
      uint64_t due = rate > 0 ? (uint64_t)((now - start) * rate / 1e6) + 1 : UINT64_MAX;
      for (uint32_t tried = 0; tried < slots && sent < due; tried++) {
        struct slot *slot = &all[free_from];
        if (!slot->busy) ask(slot, epoll, free_from);
        free_from = (free_from + 1) % slots;
      }
    }
    /* Until the next query is due. */
    int64_t wait = rate > 0 ? start + (int64_t)(sent * 1e6 / rate) - now_us() : LONGEST_WAIT_US;
    if (wait < 0) wait = 0;
    if (wait > LONGEST_WAIT_US) wait = LONGEST_WAIT_US;
    struct timespec timeout = {.tv_nsec = wait * 1000};
    struct epoll_event events[64];
    int ready = epoll_pwait2(epoll, events, 64, &timeout, NULL);
    int64_t read_at = now_us();
    for (int i = 0; i < ready; i++) {
      struct slot *slot = &all[events[i].data.u32];
      uint8_t answer[4096];
      while (slot->fd >= 0) {
        ssize_t size = recv(slot->fd, answer, sizeof answer, 0);
        if (size < 0) break;
        if (slot->busy && size >= 12 && (uint16_t)(answer[0] << 8 | answer[1]) == slot->id && (answer[3] & 15) == 0) {
          finish(slot, fresh, read_at - slot->sent_at);
          break;
        }
      }
    }
    if (read_at - swept > 100000 || !open) {
      swept = read_at;
      running = open;
      for (uint32_t i = 0; i < slots; i++) {
        if (!all[i].busy) continue;
        if (read_at - all[i].sent_at > TIMEOUT_US) finish(&all[i], fresh, -1);
        else running = 1;
      }
    }
  }
  double took = (now_us() - start) / 1e6;
  if (took > seconds) took = seconds;
  printf("{\"sent\":%llu,\"answered\":%llu,\"lost\":%llu,\"seconds\":%.3f,\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
         (unsigned long long)sent, (unsigned long long)answered, (unsigned long long)lost, took, percentile(0.5),
         percentile(0.99));
  return 0;
}
