import java.util.HexFormat;
import java.util.Scanner;
import org.apache.kafka.common.utils.Utils;

/** Prints Kafka's own hash of each key: reads hexadecimal lines, writes decimal lines. Runs as a single source file. */
class Murmur2 {
  public static void main(String[] arguments) {
    var keys = new Scanner(System.in);
    while (keys.hasNextLine()) System.out.println(Utils.murmur2(HexFormat.of().parseHex(keys.nextLine())));
  }
}
