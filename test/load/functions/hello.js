/** The least that functions-framework can serve: what a start costs without any application. */
import { http } from '@google-cloud/functions-framework';

http('hello', (_, response) => void response.send('hello'));
