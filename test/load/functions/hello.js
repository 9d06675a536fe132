/** The smallest function: measures the start of functions-framework without an application. */
import { http } from '@google-cloud/functions-framework';

http('hello', (_, response) => void response.send('hello'));
