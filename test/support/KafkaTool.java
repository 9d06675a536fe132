import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's own client, for tests that change topics or need codecs and transactions. */
public class KafkaTool {
    public static void main(String[] args) throws Exception {
        String brokers = args[0], command = args[1], topic = args[2];
        List<String> more = List.of(args).subList(3, args.length);
        switch (command) {
            case "recreate" -> recreate(brokers, topic, Integer.parseInt(more.get(0)));
            case "partitions" -> {
                try (Admin admin = admin(brokers)) {
                    admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(Integer.parseInt(more.get(0))))).all().get();
                }
            }
            // Each codec writes one batch of two values that begin with its name.
            case "pack" -> {
                for (String codec : more.subList(1, more.size())) {
                    try (var producer = producer(brokers, Map.of("compression.type", codec, "linger.ms", 50))) {
                        var first = producer.send(new ProducerRecord<>(topic, codec + more.get(0)));
                        producer.send(new ProducerRecord<>(topic, codec + " again")).get();
                        first.get();
                    }
                }
            }
            // Commits the first value and aborts the second.
            case "transactions" -> {
                try (var producer = producer(brokers, Map.of("transactional.id", topic))) {
                    producer.initTransactions();
                    producer.beginTransaction();
                    producer.send(new ProducerRecord<>(topic, 0, null, more.get(0))).get();
                    producer.commitTransaction();
                    producer.beginTransaction();
                    producer.send(new ProducerRecord<>(topic, 0, null, more.get(1))).get();
                    producer.abortTransaction();
                }
            }
            default -> throw new IllegalArgumentException(command);
        }
    }

    private static void recreate(String brokers, String topic, int partitions) throws Exception {
        try (Admin admin = admin(brokers)) {
            admin.deleteTopics(List.of(topic)).all().get();
            for (int attempt = 0; ; attempt++) {
                try {
                    admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
                    return;
                } catch (ExecutionException stillThere) {
                    if (attempt == 100) throw stillThere;
                    Thread.sleep(20);
                }
            }
        }
    }

    private static Admin admin(String brokers) {
        return Admin.create(Map.of("bootstrap.servers", brokers));
    }

    private static KafkaProducer<String, String> producer(String brokers, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", brokers);
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }
}
