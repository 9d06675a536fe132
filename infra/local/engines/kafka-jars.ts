/** Apache Kafka's jars, as Maven resolves them from pom.xml: kept until the pom changes or a jar is gone. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../process.ts';
import { findJava, findKafkaJars, KAFKA_POM, kafkaClassPathFile, kafkaJars } from './machine.ts';
import { missingTools } from './missing.ts';

/** @throws Error that lists every missing tool */
export async function kafkaClassPath(): Promise<string> {
  const known = await kafkaJars();
  if ((await findJava()) !== 'ok' || (await findKafkaJars()) !== 'ok') throw await missingTools();
  if (known !== undefined) return known;
  const file = await kafkaClassPathFile();
  await mkdir(join(file, '..'), { recursive: true });
  console.error('kafka      asking Maven for Apache Kafka (about 100 MB the first time)');
  await run('mvn', ['-B', '-f', KAFKA_POM, 'dependency:build-classpath', `-Dmdep.outputFile=${file}`], {
    show: process.env['CI'] === undefined,
  }).catch(async (error: unknown) => {
    throw await missingTools({
      engine: 'Apache Kafka could not be downloaded from a Maven repository',
      error,
    });
  });
  return readFile(file, 'utf8');
}

/** Why tests of Apache Kafka itself, or of its tools, cannot run here; undefined when they can. */
export async function whyNoApacheKafka(): Promise<string | undefined> {
  const reasons = [await findJava(), await findKafkaJars()].flatMap((finding) =>
    finding === 'ok' ? [] : [finding.reason],
  );
  return reasons.length === 0 ? undefined : `it needs Apache Kafka's own programs: ${reasons.join(', ')}`;
}
