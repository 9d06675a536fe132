import java.util.HexFormat;
import java.util.Scanner;
import org.apache.kafka.common.utils.Utils;

/** Prints Kafka's own hash of each key: hexadecimal lines in, decimal lines out. Run as a single-file source. */
class Murmur2 {
  public static void main(String[] arguments) {
    var keys = new Scanner(System.in);
    while (keys.hasNextLine()) System.out.println(Utils.murmur2(HexFormat.of().parseHex(keys.nextLine())));
  }
}
