// The arguments and policy keys that the broker knows, with what they mean.

/** [name, type, what it means] */
export const QUEUE_ARGUMENTS = [
  ["x-message-ttl", "number", "Milliseconds after which a message expires"],
  ["x-expires", "number", "Milliseconds without use after which the queue is deleted"],
  ["x-max-length", "number", "Most messages"],
  ["x-max-length-bytes", "number", "Most bytes of messages"],
  ["x-overflow", "text", "When full: drop-head, reject-publish or reject-publish-dlx"],
  ["x-dead-letter-exchange", "text", "Where dead messages go"],
  ["x-dead-letter-routing-key", "text", "With which routing key they go there"],
  ["x-max-priority", "number", "Highest priority of messages (1 to 255)"],
  ["x-single-active-consumer", "bool", "One consumer at a time gets messages"],
  ["x-delivery-limit", "number", "Returns after which a message is dead-lettered"],
  ["x-consumer-timeout", "number", "Milliseconds that a consumer may keep a message unsettled"],
  ["x-retry-delay", "number", "Milliseconds before a returned message is tried again"],
  ["x-retry-multiplier", "number", "Each wait is so many times the one before"],
  ["x-retry-max-delay", "number", "No wait is longer (ms)"],
  ["x-retry-jitter", "number", "A wait may be so many percent shorter (0 to 100)"],
  ["x-retry-attempts", "number", "Retries after which the message is dead-lettered"],
  ["x-message-deduplication", "bool", "A message that repeats an earlier one is left out"],
  ["x-deduplication-header", "text", "Deduplication: the header whose value is compared"],
  ["x-cache-size", "number", "Deduplication: how many values are remembered"],
  ["x-cache-ttl", "number", "Deduplication: for how many milliseconds"],
];
export const EXCHANGE_ARGUMENTS = [
  ["alternate-exchange", "text", "Where messages go that led nowhere"],
  ["x-delayed-type", "text", "x-delayed-message: how messages are routed in the end"],
  ["hash-header", "text", "x-consistent-hash: the header whose value is hashed"],
  ["x-recent-history-length", "number", "x-recent-history: how many messages are remembered"],
  ["x-message-deduplication", "bool", "Duplicates go nowhere"],
  ["x-cache-size", "number", "Deduplication: how many values are remembered"],
  ["x-cache-ttl", "number", "Deduplication: for how many milliseconds"],
];
export const EXCHANGE_TYPES = ["direct", "fanout", "topic", "headers", "x-consistent-hash", "x-modulus-hash", "x-random", "x-local-random", "x-recent-history", "x-delayed-message", "x-message-deduplication"];
export const POLICY_KEYS = [
  ["message-ttl", "number", "Milliseconds after which a message expires"],
  ["expires", "number", "Milliseconds without use after which a queue is deleted"],
  ["max-length", "number", "Most messages"],
  ["max-length-bytes", "number", "Most bytes of messages"],
  ["overflow", "text", "drop-head, reject-publish or reject-publish-dlx"],
  ["dead-letter-exchange", "text", "Where dead messages go"],
  ["dead-letter-routing-key", "text", "With which routing key"],
  ["delivery-limit", "number", "Returns after which a message is dead-lettered"],
  ["consumer-timeout", "number", "Milliseconds that a consumer may keep a message"],
  ["retry-delay", "number", "Milliseconds before a returned message is tried again"],
  ["retry-multiplier", "number", "Each wait is so many times the one before"],
  ["retry-max-delay", "number", "No wait is longer (ms)"],
  ["retry-jitter", "number", "A wait may be so many percent shorter (0 to 100)"],
  ["retry-attempts", "number", "Retries after which a message is dead-lettered"],
  ["alternate-exchange", "text", "Exchanges: where messages go that led nowhere"],
];
/** What settings mean, whoever says them. */
export const MEANINGS = new Map([...QUEUE_ARGUMENTS, ...POLICY_KEYS].map(([key, , means]) => [key.replace(/^x-/, ""), means]));
/** The keys that an operator policy may have. */
const OPERATORS = new Set(["message-ttl", "expires", "max-length", "max-length-bytes", "overflow", "delivery-limit"]);
export const OPERATOR_KEYS = POLICY_KEYS.filter(([key]) => OPERATORS.has(key));
